// exp and log in float64 from operations that every machine rounds alike, so that
// they give equal bits everywhere.
#ifndef MSMERGE_EXPONENTIAL_H
#define MSMERGE_EXPONENTIAL_H

#include "platform.h"

FN uint64_t bits_of_double(double x) {
  union {
    double f;
    uint64_t u;
  } v = {.f = x};
  return v.u;
}

FN double double_of(uint64_t u) {
  union {
    uint64_t u;
    double f;
  } v = {.u = u};
  return v.f;
}

// exponential returns e^x for x in [-700, 0], and e^-700 below; NaN stays NaN.
// x = k ln 2 + r with |r| <= ln 2 / 2, e^r by its Taylor series to r^13, in pairs
// of terms so that they can be computed side by side.
FN double exponential(double x) {
  uint64_t low = 0u - (uint64_t)(x < -700.0);
  x = double_of((bits_of_double(x) & ~low) | (bits_of_double(-700.0) & low));
  double shifted = x * 0x1.71547652b82fep+0 + 0x1.8p52;  // rounds to a whole number
  double k = shifted - 0x1.8p52;
  double r = (x - k * 0x1.62e42fefa0000p-1) - k * 0x1.cf79abc9e3b3ap-40;
  double r2 = r * r, r4 = r2 * r2;
  double a = 1.0 + r, b = 1.0 / 2 + r * (1.0 / 6), c = 1.0 / 24 + r * (1.0 / 120), d = 1.0 / 720 + r * (1.0 / 5040);
  double e = 1.0 / 40320 + r * (1.0 / 362880), f = 1.0 / 3628800 + r * (1.0 / 39916800);
  double g = 1.0 / 479001600 + r * (1.0 / 6227020800.0);
  double high = (e + r2 * f) + r4 * g;
  double series = (a + r2 * b) + r4 * ((c + r2 * d) + r4 * high);
  return series * double_of((bits_of_double(shifted) + 1023) << 52);
}

// logarithm returns ln x for normal x > 0, NaN for NaN and infinity. x = 2^k m with m in [sqrt(1/2), sqrt(2)),
// ln m = 2 artanh s with s = (m - 1)/(m + 1), by its series to s^21.
FN double logarithm(double x) {
  uint64_t shifted = bits_of_double(x) + (0x3ff0000000000000u - 0x3fe6a09e00000000u);
  double k = double_of((shifted >> 52) | 0x4330000000000000u) - (0x1p52 + 1023.0);
  double m = double_of((shifted & 0x000fffffffffffffu) + 0x3fe6a09e00000000u);
  double s = (m - 1.0) / (m + 1.0);
  double z = s * s, z2 = z * z, z4 = z2 * z2;
  double a = 1.0 / 3 + z * (1.0 / 5), b = 1.0 / 7 + z * (1.0 / 9), c = 1.0 / 11 + z * (1.0 / 13);
  double d = 1.0 / 15 + z * (1.0 / 17), e = 1.0 / 19 + z * (1.0 / 21);
  double series = (a + z2 * b) + z4 * ((c + z2 * d) + z4 * e);
  return k * 0x1.62e42fefa39efp-1 + (2.0 * s + 2.0 * s * (z * series)) + 0.0 * x;
}

#endif
