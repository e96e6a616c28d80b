"""Counter-based random streams: the only source of randomness in the simulator.

Every random word is a pure function of (seed, user, visit, step, purpose, item), so a user's luck is the same
alone, in a batch, in any order and on any worker, and does not depend on which items a policy shows.

Source: Salmon, Moraes, Dror and Shaw (2011), Parallel random numbers: as easy as 1, 2, 3; Philox4x32-10.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from recsim_env.arithmetic import HALF, normal_quantile
from recsim_env.compiling import compiled

STREAM_VERSION = 2
"""Raised whenever the mapping from key to words, or from words to draws, changes."""

MAX_USER_ID = 2**44 - 1
MAX_VISIT = 2**20 - 1
MAX_STEP = 2**24 - 1
MAX_SEED = 2**64 - 1
PURPOSE_BITS = 8


class Purpose(IntEnum):
    """What a draw is for: 8 bits of the counter."""

    USER_TRAITS = 0
    USER_TASTE = 1
    VISIT_TRAITS = 2
    VISIT_INTEREST = 3
    ORGANIC_ITEM = 4
    STEP_USER = 5
    STEP_INTEREST = 6
    STEP_ITEM = 7
    CATALOG_TOPIC = 8
    CATALOG_ITEM = 9
    CATALOG_EMBEDDING = 10
    CATALOG_TOPIC_QUALITY = 11
    CATALOG_CHANGES = 12
    VISIT_RETURN = 13
    CANDIDATE = 14


_LOW = np.uint64(0xFFFFFFFF)
_HALF_WORD = np.uint64(32)
_MULTIPLIER_0 = np.uint64(0xD2511F53)
_MULTIPLIER_1 = np.uint64(0xCD9E8D57)
_WEYL_0 = np.uint64(0x9E3779B9)
_WEYL_1 = np.uint64(0xBB67AE85)
_PURPOSE_SHIFT = np.uint64(PURPOSE_BITS)
_VISIT_BITS = np.uint64(20)
_UNIFORM_SHIFT = np.uint32(9)
_UNIFORM_SCALE = np.float32(2.0**-23)
_BYTE = np.uint32(0xFF)
_MIDDLE_BYTE = np.float32(127.5)
_BYTE_SCALE = np.float32((12.0 / (2**16 - 1)) ** 0.5)


@compiled(inline=True)
def _round(c0, c1, c2, c3, k0, k1):
    """One Philox round and one step of the key; bits above the low 32 are noise that products ignore."""
    product_0 = _MULTIPLIER_0 * (c0 & _LOW)
    product_1 = _MULTIPLIER_1 * (c2 & _LOW)
    high_0 = product_0 >> _HALF_WORD
    high_1 = product_1 >> _HALF_WORD
    return high_1 ^ c1 ^ k0, product_1, high_0 ^ c3 ^ k1, product_0, k0 + _WEYL_0, k1 + _WEYL_1


@compiled(inline=True)
def philox4x32(c0, c1, c2, c3, k0, k1):
    """Ten Philox rounds: a bijection of the 128-bit counter (c0..c3), keyed by 64 bits (k0, k1).

    The rounds are written out, not looped, so that loops over blocks vectorise.

    Args:
        c0, c1, c2, c3: uint64, of which the low 32 bits count.
        k0, k1: uint64, of which the low 32 bits count.

    Returns:
        four uint64 below 2^32.
    """
    c0, c1, c2, c3, k0, k1 = _round(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3, k0, k1 = _round(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3, k0, k1 = _round(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3, k0, k1 = _round(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3, k0, k1 = _round(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3, k0, k1 = _round(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3, k0, k1 = _round(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3, k0, k1 = _round(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3, k0, k1 = _round(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3, k0, k1 = _round(c0, c1, c2, c3, k0, k1)
    return c0 & _LOW, c1 & _LOW, c2 & _LOW, c3 & _LOW


@compiled(merge=True)
def fill_words(seed, user, visit, step, count, lanes, keys, words):
    """Write one Philox block per draw: words[:, i] belongs to (seed, user, visit, step, keys[i], lanes[i]).

    Counter layout: c0 = user (low 32 bits), c1 = lane: an item or a number, c2 = step (24 bits) | purpose (8
    bits), c3 = user (high 12 bits) | visit (20 bits); the key is the seed. Nothing else enters, so a draw
    does not depend on which others are made with it.

    Args:
        seed: uint64.
        user, visit, step: integers within MAX_USER_ID, MAX_VISIT and MAX_STEP.
        count: M, how many blocks.
        lanes: [>= M] uint32.
        keys: [>= M] uint32, the purpose; a number shifted left by PURPOSE_BITS is added to the step.
        words: [4, >= M] uint32, overwritten.
    """
    c0 = np.uint64(user) & _LOW
    c3 = ((np.uint64(user) >> _HALF_WORD) << _VISIT_BITS) | np.uint64(visit)
    k0 = np.uint64(seed) & _LOW
    k1 = np.uint64(seed) >> _HALF_WORD
    step_part = np.uint64(step) << _PURPOSE_SHIFT
    for i in range(count):
        w0, w1, w2, w3 = philox4x32(c0, lanes[i], step_part + keys[i], c3, k0, k1)
        words[0, i] = np.uint32(w0)
        words[1, i] = np.uint32(w1)
        words[2, i] = np.uint32(w2)
        words[3, i] = np.uint32(w3)


@compiled(inline=True)
def uniform(word):
    """Map a uint32 word to a float32 inside (0, 1): (floor(word / 2^9) + 1/2) 2^-23, symmetric about 1/2."""
    return (np.float32(np.int32(np.uint32(word) >> _UNIFORM_SHIFT)) + HALF) * _UNIFORM_SCALE


@compiled(inline=True)
def uniform_index(word, count):
    """Map a uint32 word to an index in [0, count) by multiply-shift; bias below count / 2^32."""
    return np.int64((np.uint64(word) * np.uint64(count)) >> _HALF_WORD)


@compiled(merge=True)
def fill_uniforms(words, count, uniforms):
    """Write uniforms[i] = uniform(words[i]) for i < count; words uint32, uniforms float32."""
    for i in range(count):
        uniforms[i] = uniform(words[i])


@compiled(merge=True)
def fill_noise(words, first, noise):
    """Turn the bytes of ceil(n / 16) blocks, from block ``first`` on, into n draws of mean 0 and variance 1.

    noise = (byte - 127.5) sqrt(12 / (2^16 - 1)): uniform on 256 points. Ours: a sum over a few steps is as
    good as normal, at a fraction of the cost of normal draws.

    Args:
        words: [4, >= first + n / 16] uint32; byte b of word w of block first + i gives draw 16 i + 4 b + w.
        first: int.
        noise: [n] float32, n a multiple of 4, overwritten.
    """
    for start in range(0, noise.shape[0], 4):
        shift = np.uint32(start // 4 % 4 * 8)
        for word in range(4):
            byte = (words[word, first + start // 16] >> shift) & _BYTE
            noise[start + word] = (np.float32(np.int32(byte)) - _MIDDLE_BYTE) * _BYTE_SCALE


@compiled
def fill_normals(words, uniforms, normals):
    """Turn the first n / 4 blocks into n standard normal draws: word j of block i gives the draw j n / 4 + i.

    Args:
        words: [4, >= n / 4] uint32.
        uniforms: [n] float32 scratch, overwritten; n a multiple of 4.
        normals: [n] float32, overwritten.
    """
    blocks = normals.shape[0] // 4
    for j in range(4):
        for i in range(blocks):
            uniforms[j * blocks + i] = uniform(words[j, i])
    for d in range(normals.shape[0]):
        normals[d] = normal_quantile(uniforms[d])
