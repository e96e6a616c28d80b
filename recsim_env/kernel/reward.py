"""The scalar that the modeller makes of an outcome."""

from recsim_env.arithmetic import ONE, ZERO, exp
from recsim_env.compiling import compiled


@compiled
def purchase_value(params, item):
    """Reward of buying an item: w_purchase * price^price_exponent; 0 counts purchases, 1 counts revenue."""
    if params.price_exponent == ZERO:
        return params.purchase * ONE
    return params.purchase * exp(params.price_exponent * item.log_price)
