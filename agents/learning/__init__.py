"""What the learners from logs share."""
