/* The reader on compressed files that are cut or damaged. */
#include <stdio.h>

#include <isa-l/igzip_lib.h>
#include <zstd.h>

#include "source_read.h"

/* ---- damage inside compressed data
 * ------------------------------------------------------------------ */

/* Data that compresses a little, long enough for several deflate and zstd blocks. */
/* Cut anywhere: what is delivered is a prefix (read_all compares it), more of it with every byte,
 * and the end is an error. Cut between members or frames is a clean end of a shorter file. */
static void check_cuts(struct buf *packed, const struct buf *file, size_t step)
{
	size_t whole = packed->len;
	uint64_t bytes = 0;

	for (packed->len = 0; packed->len < whole; packed->len += step) {
		struct outcome o = read_memory(packed, file, NULL);

		assert_int_not_equal(o.err.code, 0);
		assert_true(o.bytes >= bytes);
		assert_true(!o.opened || o.err.pos_raw <= packed->len);
		bytes = o.bytes;
	}
	packed->len = whole;
	/* Nearly all of it: at most a deflate or zstd block is lost with the last bytes. */
	assert_true(bytes + 160 * 1024 > file->len);
	assert_int_equal(read_memory(packed, file, NULL).err.code, 0);
}

/* One bit flipped: the same blocks or an error, because both formats have a checksum; and the same
 * outcome for every batch size, although the decoders are then asked for other amounts. */
static void check_flips(struct buf *packed, const struct buf *file, size_t step)
{
	struct outcome good = read_memory(packed, file, NULL);

	assert_int_equal(good.err.code, 0);
	for (size_t i = 0; i < packed->len; i += step) {
		/* Damaged data may be delivered before the checksum tells: not compared. */
		packed->p[i] ^= (char)(1 << (i % 8));
		struct outcome o = read_memory(packed, NULL, NULL);
		struct outcome p = read_memory(packed, NULL, &ways[1 + i % (ARRAY_SIZE(ways) - 1)]);
		packed->p[i] ^= (char)(1 << (i % 8));
		if (!o.err.code && (o.blocks != good.blocks || o.bytes != good.bytes))
			fail_msg("byte %zu flipped: %llu blocks and no error", i,
				 (unsigned long long)o.blocks);
		if (o.err.code != p.err.code || o.err.pos != p.err.pos ||
		    strcmp(o.err.msg, p.err.msg) || o.bytes != p.bytes)
			fail_msg("byte %zu flipped: %llu bytes, %s at %llu; else %llu bytes, %s at %llu",
				 i, (unsigned long long)o.bytes, o.err.msg,
				 (unsigned long long)o.err.pos, (unsigned long long)p.bytes, p.err.msg,
				 (unsigned long long)p.err.pos);
	}
}

static void test_damaged_gzip(void **state)
{
	struct buf file, packed;

	make_noise(&file, 700);
	pack(&packed, &file, SIZE_MAX / 2, gzip_member);
	check_cuts(&packed, &file, 97);
	check_flips(&packed, &file, 3);
	/* Every byte of the header and of the trailer. */
	packed.p[packed.len - 8] ^= 1;
	struct outcome o = read_memory(&packed, &file, NULL);
	assert_int_equal(o.err.code, ERR_FORMAT);
	assert_non_null(strstr(o.err.msg, "gzip: wrong checksum"));
	assert_int_equal(o.err.pos, file.len);
	assert_int_equal(o.blocks, 700);
	buf_fini(&packed);
	buf_fini(&file);
}

static void test_damaged_zstd(void **state)
{
	struct buf file, packed;

	make_noise(&file, 5000);
	buf_init(&packed);
	zstd_frame(&packed, file.p, file.len);
	check_cuts(&packed, &file, 1999);
	check_flips(&packed, &file, 1013);
	packed.p[packed.len - 1] ^= 1;
	struct outcome o = read_memory(&packed, NULL, NULL);
	assert_int_equal(o.err.code, ERR_FORMAT);
	assert_non_null(strstr(o.err.msg, "zstd: "));
	buf_fini(&packed);
	buf_fini(&file);
}

static void test_behind_gzip(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		int code;
	} cases[] = {
		{"\0\0\0\0\0\0\0\0", 8, 0}, /* padding of a tape */
		{"\0\0\0\0x", 5, ERR_FORMAT},
		{"garbage", 7, ERR_FORMAT},
		{"\x1f", 1, ERR_TRUNCATED},
		{"\x1f\x8c\x08\0\0\0\0\0\0\3", 10, ERR_FORMAT},
		{"\x1f\x8b\x08\0\0\0\0\0\0\3", 10, ERR_TRUNCATED},
	};
	struct buf file, packed;

	make_noise(&file, 100);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		pack(&packed, &file, SIZE_MAX / 2, gzip_member);
		size_t member = packed.len;
		buf_put(&packed, cases[i].bytes, cases[i].n);
		struct outcome o = read_memory(&packed, &file, NULL);
		assert_int_equal(o.err.code, cases[i].code);
		assert_int_equal(o.blocks, 100);
		if (o.err.code) {
			assert_int_equal(o.err.pos, file.len);
			assert_true(o.err.pos_raw >= member && o.err.pos_raw <= packed.len);
		}
		buf_fini(&packed);
	}
	buf_fini(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_damaged_gzip),
		cmocka_unit_test(test_damaged_zstd),
		cmocka_unit_test(test_behind_gzip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
