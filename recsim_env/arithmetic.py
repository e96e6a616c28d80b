"""Elementary functions in float32, written out.

Ours: a C library's ``expf`` differs between systems, and a compiler may swap in another when it vectorises;
these give the same bits everywhere and vectorise. Everything is float32: in compiled code a bare Python float
would promote.
"""

from __future__ import annotations

import math

import numpy as np

from recsim_env.compiling import compiled, vectorised_dot

ZERO = np.float32(0.0)
HALF = np.float32(0.5)
ONE = np.float32(1.0)
_TWO = np.float32(2.0)

_LN2_HIGH = np.float32(0.693359375)
_LN2_LOW = np.float32(-2.12194440e-4)
_LOG2_E = np.float32(1.44269504)
_SQRT_2 = np.float32(1.41421356)
_EXP_LIMIT = np.float32(87.0)
_MANTISSA = np.uint32(0x007FFFFF)
_EXPONENT_OF_ONE = np.uint32(0x3F800000)

_L0 = np.float32(7.0376836292e-2)
_L1 = np.float32(-1.1514610310e-1)
_L2 = np.float32(1.1676998740e-1)
_L3 = np.float32(-1.2420140846e-1)
_L4 = np.float32(1.4249322787e-1)
_L5 = np.float32(-1.6668057665e-1)
_L6 = np.float32(2.0000714765e-1)
_L7 = np.float32(-2.4999993993e-1)
_L8 = np.float32(3.3333331174e-1)

_E0 = np.float32(1.9875691500e-4)
_E1 = np.float32(1.3981999507e-3)
_E2 = np.float32(8.3334519073e-3)
_E3 = np.float32(4.1665795894e-2)
_E4 = np.float32(1.6666665459e-1)
_E5 = np.float32(5.0000001201e-1)

_C0 = np.float32(2.81022636e-08)
_C1 = np.float32(3.43273939e-07)
_C2 = np.float32(-3.5233877e-06)
_C3 = np.float32(-4.39150654e-06)
_C4 = np.float32(0.00021858087)
_C5 = np.float32(-0.00125372503)
_C6 = np.float32(-0.00417768164)
_C7 = np.float32(0.246640727)
_C8 = np.float32(1.50140941)

_T0 = np.float32(-0.000200214257)
_T1 = np.float32(0.000100950558)
_T2 = np.float32(0.00134934322)
_T3 = np.float32(-0.00367342844)
_T4 = np.float32(0.00573950773)
_T5 = np.float32(-0.0076224613)
_T6 = np.float32(0.00943887047)
_T7 = np.float32(1.00167406)
_T8 = np.float32(2.83297682)
_CENTRE_LIMIT = np.float32(5.0)
_CENTRE_SHIFT = np.float32(2.5)
_TAIL_SHIFT = np.float32(3.0)


@compiled(inline=True)
def log(x):
    """Natural logarithm of a positive, normal float32; relative error below 2e-7.

    Source: Moshier, Cephes mathematical library (1992), ``logf``: x = 2^e m with m in [sqrt(1/2), sqrt(2)),
    polynomial in m - 1.
    """
    bits = np.float32(x).view(np.uint32)
    exponent = np.float32(np.int32(bits >> np.uint32(23)) - np.int32(127))
    mantissa = np.uint32((bits & _MANTISSA) | _EXPONENT_OF_ONE).view(np.float32)
    upper = mantissa > _SQRT_2
    exponent = exponent + ONE if upper else exponent
    mantissa = mantissa * HALF if upper else mantissa
    t = mantissa - ONE
    square = t * t
    fourth = square * square
    low = (_L5 * t + _L6) * square + (_L7 * t + _L8)
    high = (_L1 * t + _L2) * square + (_L3 * t + _L4)
    p = (_L0 * fourth + high) * fourth + low
    return (t * square * p + exponent * _LN2_LOW - HALF * square) + t + exponent * _LN2_HIGH


@compiled(inline=True)
def exp(x):
    """Exponential of a float32, its argument clipped to [-87, 87]; relative error below 2e-7.

    Source: Moshier, Cephes mathematical library (1992), ``expf``: x = n ln 2 + r, polynomial in r.
    """
    x = min(max(np.float32(x), -_EXP_LIMIT), _EXP_LIMIT)
    shifted = x * _LOG2_E
    n = np.int32(shifted + HALF if shifted >= ZERO else shifted - HALF)
    whole = np.float32(n)
    r = (x - whole * _LN2_HIGH) - whole * _LN2_LOW
    square = r * r
    p = ((_E0 * r + _E1) * square + (_E2 * r + _E3)) * square + (_E4 * r + _E5)
    power = np.uint32((n + np.int32(127)) << np.int32(23)).view(np.float32)
    return (p * square + (r + ONE)) * power


@compiled(inline=True)
def sigmoid(x):
    """Logistic function 1 / (1 + e^-x) of a float32."""
    return ONE / (ONE + exp(-x))


@compiled(inline=True)
def normal_quantile(u):
    """Standard normal quantile of a float32 in (0, 1), a multiple of 2^-24 for accuracy in the tails.

    Source: Giles (2010), Approximating the erfinv function, GPU Computing Gems, single-precision table;
    sqrt(2) erfinv(2u - 1).
    """
    x = np.float32(u) * _TWO - ONE
    w = -log((ONE - x) * (ONE + x))
    t = w - _CENTRE_SHIFT
    c = (((_C0 * t + _C1) * t + _C2) * t + _C3) * t + _C4
    c = (((c * t + _C5) * t + _C6) * t + _C7) * t + _C8
    t = np.float32(math.sqrt(w)) - _TAIL_SHIFT
    f = (((_T0 * t + _T1) * t + _T2) * t + _T3) * t + _T4
    f = (((f * t + _T5) * t + _T6) * t + _T7) * t + _T8
    return _SQRT_2 * x * (c if w < _CENTRE_LIMIT else f)


@vectorised_dot
def dot(a, b):
    """Inner product of two float32 vectors, of length a multiple of 4, as four interleaved sums."""
    s0 = ZERO
    s1 = ZERO
    s2 = ZERO
    s3 = ZERO
    for d in range(0, a.shape[0], 4):
        s0 += a[d] * b[d]
        s1 += a[d + 1] * b[d + 1]
        s2 += a[d + 2] * b[d + 2]
        s3 += a[d + 3] * b[d + 3]
    return (s0 + s2) + (s1 + s3)


@compiled(inline=True)
def normalise(vector):
    """Scale a float32 vector to unit length in place; the zero vector stays."""
    length = np.float32(math.sqrt(dot(vector, vector)))
    if length > ZERO:
        scale = ONE / length
        for d in range(vector.shape[0]):
            vector[d] *= scale
