"""The random masks of mergesearch (merge/kernel), in numpy."""

import hashlib
import struct

import numpy


def philox(counter, stream, key):
    """Philox4x32-7 of many counters, four words of 32 bits each (Salmon et al., SC 2011)."""
    low, high = numpy.uint64(0xFFFFFFFF), numpy.uint64(32)
    c = [counter & low, counter >> high, numpy.full_like(counter, stream & 0xFFFFFFFF), numpy.full_like(counter, stream >> 32)]
    k = [key & 0xFFFFFFFF, key >> 32]
    for _ in range(7):
        p0, p1 = numpy.uint64(0xD2511F53) * c[0], numpy.uint64(0xCD9E8D57) * c[2]
        c = [(p1 >> high) ^ c[1] ^ numpy.uint64(k[0]), p1 & low, (p0 >> high) ^ c[3] ^ numpy.uint64(k[1]), p0 & low]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


def draws(seed, model, tensor, n):
    """The 32-bit draws of a tensor's elements: one is kept where its draw is below 2^32 times its probability."""
    text = b"mergesearch mask 2\0" + struct.pack("<QQ", seed, len(model)) + (model + tensor).encode()
    key, stream = struct.unpack("<QQ", hashlib.sha256(text).digest()[:16])
    e = numpy.arange(n, dtype=numpy.uint64)
    pair, half = e % 256 // 2, e % 2
    r, q = pair // 16, pair % 16
    word = numpy.choose((r // 2).astype(int), philox(e // 256 * 16 + q, stream, key))
    upper = word >> (8 * (2 * (r % 2) + half)) & 0xFF
    return upper << 24 | philox(e | 1 << 63, stream, key)[0] >> 8
