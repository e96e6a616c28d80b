"""One user, one step, as compiled scalar functions of records; ``step.py`` composes the other rooms."""
