// Matrix product of rows with packed column panels. Element (r, c) is one chain of
// fused multiply-adds over k ascending from zero, so no blocking can change it.
// Blocks are MR rows by NP panels of 16 columns, held in registers.

// finish writes one row of a block: valid of its columns, with bias or added to c.
static __attribute__((noinline)) void finish(float *c, const float *acc, const float *bias, int add, int64_t valid)
{
	for (int64_t j = 0; j < valid; j++) {
		float v = acc[j];
		if (bias) v = v + bias[j];
		c[j] = add ? c[j] + v : v;
	}
}

// Four rows to a base pointer: x86 addresses base + {0, 1, 2, 3} * ld without further registers.
#define ROW(r) (*(const float *)((r) % 4 == 3 ? base[(r) / 4] + ld3 : base[(r) / 4] + (r) % 4 * ld))

#define TILE(MR, NP)                                                                              \
	static void tile_##MR##_##NP(float *c, int64_t ldc, const float *x, int64_t ldx,              \
		const float *w, const float *bias, int add, int64_t valid, int64_t k)                     \
	{                                                                                             \
		vf acc[MR][NP * NV];                                                                      \
		const char *base[(MR + 3) / 4];                                                           \
		const int64_t ld = ldx * 4, ld3 = ldx * 12, panel = k * 16;                               \
		UNROLL for (int g = 0; g < (MR + 3) / 4; g++) base[g] = (const char *)(x + g * 4 * ldx);  \
		UNROLL for (int r = 0; r < MR; r++)                                                       \
			UNROLL for (int j = 0; j < NP * NV; j++) acc[r][j] = set1(0.0f);                      \
		for (int64_t i = 0; i < k; i++) {                                                         \
			vf b[NP * NV];                                                                        \
			UNROLL for (int p = 0; p < NP; p++)                                                   \
				UNROLL for (int j = 0; j < NV; j++) b[p * NV + j] = load(w + p * panel + j * VL); \
			UNROLL for (int r = 0; r < MR; r++) {                                                 \
				vf a = set1(ROW(r));                                                              \
				UNROLL for (int j = 0; j < NP * NV; j++) acc[r][j] = fma_v(a, b[j], acc[r][j]);   \
			}                                                                                     \
			w += 16;                                                                              \
			UNROLL for (int g = 0; g < (MR + 3) / 4; g++) base[g] += 4;                           \
		}                                                                                         \
		if (valid == NP * 16 && !bias) {                                                          \
			UNROLL for (int r = 0; r < MR; r++)                                                   \
				UNROLL for (int j = 0; j < NP * NV; j++) {                                        \
					float *at = c + r * ldc + j * VL;                                             \
					store(at, add ? load(at) + acc[r][j] : acc[r][j]);                            \
				}                                                                                 \
			return;                                                                               \
		}                                                                                         \
		float out[NP * 16];                                                                       \
		UNROLL for (int r = 0; r < MR; r++) {                                                     \
			UNROLL for (int j = 0; j < NP * NV; j++) store(out + j * VL, acc[r][j]);              \
			finish(c + r * ldc, out, bias, add, valid);                                           \
		}                                                                                         \
	}

typedef void (*tile_fn)(float *, int64_t, const float *, int64_t, const float *, const float *, int, int64_t, int64_t);

// tiles[log2 of panels][rows]: null where registers would not do. The most rows
// that a level takes at once with one, two, four and eight panels are its limits.
#if LM_LEVEL == 2
enum { MOST_ROWS = 12 };
TILE(1, 1) TILE(2, 1) TILE(3, 1) TILE(4, 1) TILE(5, 1) TILE(6, 1)
TILE(7, 1) TILE(8, 1) TILE(9, 1) TILE(10, 1) TILE(11, 1) TILE(12, 1)
TILE(1, 2) TILE(2, 2) TILE(3, 2) TILE(4, 2) TILE(5, 2) TILE(6, 2)
TILE(7, 2) TILE(8, 2) TILE(9, 2) TILE(10, 2) TILE(11, 2) TILE(12, 2)
TILE(1, 4) TILE(2, 4) TILE(3, 4) TILE(4, 4) TILE(5, 4) TILE(6, 4)
TILE(1, 8) TILE(2, 8)
static const tile_fn tiles[4][MOST_ROWS + 1] = {
	{0, tile_1_1, tile_2_1, tile_3_1, tile_4_1, tile_5_1, tile_6_1, tile_7_1, tile_8_1, tile_9_1, tile_10_1, tile_11_1, tile_12_1},
	{0, tile_1_2, tile_2_2, tile_3_2, tile_4_2, tile_5_2, tile_6_2, tile_7_2, tile_8_2, tile_9_2, tile_10_2, tile_11_2, tile_12_2},
	{0, tile_1_4, tile_2_4, tile_3_4, tile_4_4, tile_5_4, tile_6_4},
	{0, tile_1_8, tile_2_8},
};
#elif LM_LEVEL == 1
enum { MOST_ROWS = 6 };
TILE(1, 1) TILE(2, 1) TILE(3, 1) TILE(4, 1) TILE(5, 1) TILE(6, 1)
TILE(1, 2) TILE(2, 2) TILE(3, 2)
TILE(1, 4)
static const tile_fn tiles[4][MOST_ROWS + 1] = {
	{0, tile_1_1, tile_2_1, tile_3_1, tile_4_1, tile_5_1, tile_6_1},
	{0, tile_1_2, tile_2_2, tile_3_2},
	{0, tile_1_4},
};
#else
enum { MOST_ROWS = 4 };
TILE(1, 1) TILE(2, 1) TILE(3, 1) TILE(4, 1)
static const tile_fn tiles[4][MOST_ROWS + 1] = {
	{0, tile_1_1, tile_2_1, tile_3_1, tile_4_1},
};
#endif

// row_block runs rows of x against all panels, as many panels at once as registers allow.
static void row_block(float *c, int64_t ldc, const float *x, int64_t ldx, const float *w,
	const float *bias, int add, int64_t rows, int64_t n, int64_t k)
{
	int widest = 3;
	while (!tiles[widest][rows]) widest--;
	for (int64_t column = 0; column < n;) {
		int64_t panels = (n - column + 15) / 16;
		int log = widest;
		while ((int64_t)1 << log > panels) log--;
		int64_t wide = (int64_t)16 << log, left = n - column;
		tiles[log][rows](c + column, ldc, x, ldx, w + column * k, bias ? bias + column : 0, add,
			left < wide ? left : wide, k);
		column += wide;
	}
}

// What a core's second-level cache holds beside the rest, in bytes.
enum { CACHED = 512 << 10, STRIPE = 64 };

// matmul takes blocks of rows in turn. A matrix that the cache does not hold would come
// from memory for each of them; so as many rows as it does hold go together through the
// matrix, a stripe of columns at a time.
static void matmul(float *c, int64_t ldc, const float *x, int64_t ldx, const float *w,
	const float *bias, int add, int64_t m, int64_t n, int64_t k)
{
	int64_t blocks = (m + MOST_ROWS - 1) / MOST_ROWS, together = 1, stripe = n;
	if (n * k * 4 > CACHED && blocks > 1) {
		together = CACHED / (MOST_ROWS * k * 4);
		if (together > 1) stripe = STRIPE;
		else together = 1;
	}
	for (int64_t first = 0; first < blocks; first += together) {
		int64_t last = first + together < blocks ? first + together : blocks;
		for (int64_t column = 0; column < n; column += stripe) {
			int64_t wide = n - column < stripe ? n - column : stripe;
			for (int64_t b = first; b < last; b++) { // near-equal blocks: 13 rows are 7 and 6, not 12 and 1
				int64_t from = m * b / blocks, to = m * (b + 1) / blocks;
				row_block(c + from * ldc + column, ldc, x + from * ldx, ldx, w + column * k,
					bias ? bias + column : 0, add, to - from, wide, k);
			}
		}
	}
}

static float dot_column(const float *x, const float *w, int64_t column, int64_t k)
{
	const float *panel = w + column / 16 * 16 * k + column % 16;
	float sum = 0.0f;
	for (int64_t i = 0; i < k; i++) sum = fmaf(x[i], panel[i * 16], sum);
	return sum;
}
