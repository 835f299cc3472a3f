/* The decoders of metadata blocks: every version, both tails of process lists, damage and limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "scap_make.h"
#include "source/meta.h"

/* ---- what the decoder said
 * -------------------------------------------------------------------------- */

/* Texts point into the block or the decoder's stack: kept as one line per entry. */
struct seen {
	struct buf lines;
	int stop_after; /* entries before the visitor says stop; 0 = never */
};

static int seen_end(struct seen *s)
{
	buf_putc(&s->lines, '\n');
	return s->stop_after && --s->stop_after == 0 ? 42 : 0;
}

static void see_text(struct seen *s, struct text t)
{
	assert_non_null(t.p);
	buf_putc(&s->lines, ' ');
	for (uint32_t i = 0; i < t.len; i++)
		buf_putc(&s->lines, t.p[i] ? t.p[i] : '|');
	buf_putc(&s->lines, ';');
}

static int see_machine(void *ctx, const struct meta_machine *m)
{
	struct seen *s = ctx;

	buf_printf(&s->lines, "machine %u %llu %llu %s %llu %llu", m->num_cpus,
		   (unsigned long long)m->memory_bytes, (unsigned long long)m->max_pid, m->hostname,
		   (unsigned long long)m->boot_ts, (unsigned long long)m->flags);
	return seen_end(s);
}

static int see_thread(void *ctx, const struct meta_thread *t)
{
	const struct text texts[] = {t->comm, t->exe, t->exepath, t->args,
				     t->cwd,  t->env, t->cgroups, t->root};
	const int64_t ids[] = {(int64_t)t->tid, (int64_t)t->pid, (int64_t)t->ptid, t->sid,
			       t->vpgid,	t->vtid,	 t->vpid,	   t->pgid};
	const uint64_t nums[] = {t->fdlimit,  t->flags,	    t->uid,	t->gid,	   t->vmsize_kb,
				 t->vmrss_kb, t->vmswap_kb, t->pfmajor, t->pfminor};
	const uint64_t tail[] = {t->pidns_init_start_ts,
				 t->tty,
				 t->loginuid,
				 t->exe_writable,
				 t->cap_inheritable,
				 t->cap_permitted,
				 t->cap_effective,
				 t->exe_upper_layer,
				 t->exe_ino,
				 t->exe_ino_ctime,
				 t->exe_ino_mtime,
				 t->exe_from_memfd,
				 t->exe_lower_layer};
	struct seen *s = ctx;

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		buf_printf(&s->lines, "%lld ", (long long)ids[i]);
	buf_putc(&s->lines, '/');
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		see_text(s, texts[i]);
	buf_puts(&s->lines, " /");
	for (size_t i = 0; i < ARRAY_SIZE(nums); i++)
		buf_printf(&s->lines, " %llu", (unsigned long long)nums[i]);
	buf_puts(&s->lines, " /");
	for (size_t i = 0; i < ARRAY_SIZE(tail); i++)
		buf_printf(&s->lines, " %llx", (unsigned long long)tail[i]);
	return seen_end(s);
}

static void see_bytes(struct seen *s, const uint8_t *p)
{
	buf_putc(&s->lines, ' ');
	for (int i = 0; i < 16; i++)
		buf_printf(&s->lines, "%02x", p[i]);
}

static int see_fd(void *ctx, const struct meta_fd *f)
{
	struct seen *s = ctx;

	buf_printf(&s->lines, "%llu fd %lld ino %llu type %u", (unsigned long long)f->tid,
		   (long long)f->fd, (unsigned long long)f->ino, f->type);
	see_text(s, f->name);
	buf_printf(&s->lines, " flags %x dev %x", f->openflags, f->dev);
	see_bytes(s, f->sip);
	see_bytes(s, f->dip);
	buf_printf(&s->lines, " %u %u l4 %u unix %llx %llx", f->sport, f->dport, f->l4proto,
		   (unsigned long long)f->unix_source, (unsigned long long)f->unix_dest);
	return seen_end(s);
}

static int see_iface(void *ctx, const struct meta_iface *i)
{
	struct seen *s = ctx;

	buf_puts(&s->lines, i->v6 ? "v6" : "v4");
	see_bytes(s, i->addr);
	see_bytes(s, i->mask);
	see_bytes(s, i->bcast);
	buf_printf(&s->lines, " %llu", (unsigned long long)i->speed);
	see_text(s, i->name);
	return seen_end(s);
}

static int see_user(void *ctx, const struct meta_user *u)
{
	struct seen *s = ctx;

	buf_printf(&s->lines, "%s %u %u", u->is_group ? "group" : "user", u->uid, u->gid);
	see_text(s, u->name);
	see_text(s, u->home);
	see_text(s, u->shell);
	return seen_end(s);
}

static int see_list(void *ctx, uint32_t block_type)
{
	struct seen *s = ctx;

	buf_printf(&s->lines, "list 0x%x", block_type);
	return seen_end(s);
}

static int decode(const struct buf *block, struct seen *s, struct err *e)
{
	const struct meta_visitor v = {s,	  see_machine, see_thread, see_fd,
				       see_iface, see_user,    see_list};
	/* A copy of exact size, so that a sanitizer sees reads behind it. */
	uint8_t *copy = malloc(block->len);

	memcpy(copy, block->p, block->len);
	buf_init(&s->lines);
	err_clear(e);
	int r = meta_decode(copy, (uint32_t)block->len, &v, e);
	free(copy);
	buf_putc(&s->lines, 0);
	assert_int_equal(r == 42 ? 0 : r, e->code);
	return r;
}

/* Decodes and frees the block. */
static void expect_lines(struct buf *block, const char *want)
{
	struct seen s = {0};
	struct err e;
	int r = decode(block, &s, &e);

	if (r)
		fail_msg("block 0x%x: %s", load_u32(block->p), e.msg);
	assert_string_equal(s.lines.p, want);
	buf_fini(&s.lines);
	buf_fini(block);
}

static void expect_error(struct buf *block, uint64_t pos, const char *text)
{
	struct seen s = {0};
	struct err e;
	int r = decode(block, &s, &e);

	if (r != ERR_FORMAT || e.pos != pos || !strstr(e.msg, text))
		fail_msg("%d at %llu: %s; want at %llu: %s", r, (unsigned long long)e.pos, e.msg,
			 (unsigned long long)pos, text);
	buf_fini(&s.lines);
	buf_fini(block);
}

/* ---- process lists
 * ---------------------------------------------------------------------------------- */

static void put_thread_fields(struct buf *b, unsigned version, uint64_t tid, const char *comm)
{
	put_int(b, tid, 8);
	put_int(b, 11, 8);
	put_int(b, 12, 8);
	if (version >= 6)
		put_int(b, 13, 8);
	if (version >= 8)
		put_int(b, 14, 8);
	put_str(b, comm);
	put_str(b, "exe");
	if (version >= 7)
		put_str(b, "/bin/exe");
	put_int(b, 4, 2);
	buf_put(b, "a\0bc", 4);
	put_str(b, "/cwd");
	put_int(b, 1024, 8);
	put_int(b, 7, 4);
	put_int(b, 1000, 4);
	put_int(b, 1001, 4);
	if (version >= 2) {
		for (uint64_t i = 1; i <= 3; i++)
			put_int(b, i, 4);
		put_int(b, 4, 8);
		put_int(b, 5, 8);
	}
	if (version >= 3)
		put_str(b, "X=1");
	if (version >= 4) {
		put_int(b, 21, 8);
		put_int(b, 22, 8);
		put_str(b, "cpu=/");
	}
	if (version >= 5)
		put_str(b, "/root");
}

static void test_process_lists(void **state)
{
	static const struct {
		uint32_t type;
		unsigned version;
		const char *line;
	} cases[] = {
		{0x202, 1,
		 "10 11 12 -1 -1 -1 -1 -1 / comm; exe; ; a|bc; /cwd; ; ; ; / "
		 "1024 7 1000 1001 0 0 0 0 0 /"},
		{0x8000ABCD, 1,
		 "10 11 12 -1 -1 -1 -1 -1 / comm; exe; ; a|bc; /cwd; ; ; ; / "
		 "1024 7 1000 1001 0 0 0 0 0 /"},
		{0x207, 2,
		 "10 11 12 -1 -1 -1 -1 -1 / comm; exe; ; a|bc; /cwd; ; ; ; / "
		 "1024 7 1000 1001 1 2 3 4 5 /"},
		{0x8013ABCD, 2,
		 "10 11 12 -1 -1 -1 -1 -1 / comm; exe; ; a|bc; /cwd; ; ; ; / "
		 "1024 7 1000 1001 1 2 3 4 5 /"},
		{0x209, 3,
		 "10 11 12 -1 -1 -1 -1 -1 / comm; exe; ; a|bc; /cwd; X=1; ; ; / "
		 "1024 7 1000 1001 1 2 3 4 5 /"},
		{0x8014ABCD, 3,
		 "10 11 12 -1 -1 -1 -1 -1 / comm; exe; ; a|bc; /cwd; X=1; ; ; / "
		 "1024 7 1000 1001 1 2 3 4 5 /"},
		{0x210, 4,
		 "10 11 12 -1 -1 21 22 -1 / comm; exe; ; a|bc; /cwd; X=1; cpu=/; ; / "
		 "1024 7 1000 1001 1 2 3 4 5 /"},
		{0x211, 5,
		 "10 11 12 -1 -1 21 22 -1 / comm; exe; ; a|bc; /cwd; X=1; cpu=/; /root; / "
		 "1024 7 1000 1001 1 2 3 4 5 /"},
		{0x212, 6,
		 "10 11 12 13 -1 21 22 -1 / comm; exe; ; a|bc; /cwd; X=1; cpu=/; /root; / "
		 "1024 7 1000 1001 1 2 3 4 5 /"},
		{0x213, 7,
		 "10 11 12 13 -1 21 22 -1 / comm; exe; /bin/exe; a|bc; /cwd; X=1; cpu=/; "
		 "/root; / 1024 7 1000 1001 1 2 3 4 5 /"},
		{0x214, 8,
		 "10 11 12 13 14 21 22 -1 / comm; exe; /bin/exe; a|bc; /cwd; X=1; cpu=/; "
		 "/root; / 1024 7 1000 1001 1 2 3 4 5 /"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		/* The same twice: an entry without length must end exactly. */
		static const char tail[] = " 0 0 ffffffff 0 0 0 0 0 0 0 0 0 0\n";
		struct buf b, want;

		buf_init(&b);
		buf_init(&want);
		size_t at = block_begin(&b, cases[i].type);
		for (int k = 0; k < 2; k++) {
			put_thread_fields(&b, cases[i].version, 10, "comm");
			buf_printf(&want, "%s%s", cases[i].line, tail);
		}
		block_end(&b, at);
		buf_putc(&want, 0);
		expect_lines(&b, want.p);
		buf_fini(&want);
	}
}

/* A v9 entry with these tail bytes and a claimed length that is off by add. */
static void put_v9(struct buf *b, const uint8_t *tail, size_t n, int add)
{
	size_t at = b->len;

	put_int(b, 0, 4);
	put_thread_fields(b, 9, 10, "comm");
	buf_put(b, tail, n);
	uint32_t len = (uint32_t)((int)(b->len - at) + add);
	memcpy(b->p + at, &len, 4);
}

/* Tail bytes 01 02 03 ...: every field shows where it was read from. */
static void test_process_list_tails(void **state)
{
	static const struct {
		size_t bytes;
		const char *tail;
		int pgid_known;
	} cases[] = {
		{0, "0 0 ffffffff 0 0 0 0 0 0 0 0 0 0", 0},
		{3, "0 0 ffffffff 0 0 0 0 0 0 0 0 0 0", 0}, /* no field fits */
		{4, "0 0 4030201 0 0 0 0 0 0 0 0 0 0", 0},
		{5, "0 0 4030201 1 0 0 0 0 0 0 0 0 0", 0},
		{29, "0 0 4030201 1 d0c0b0a09080706 1514131211100f0e 1d1c1b1a19181716 0 0 0 0 0 0",
		 0},
		/* One more byte and it is the other layout. */
		{30, "807060504030201 c0b0a09 100f0e0d 1 1918171615141312 0 0 0 0 0 0 0 0", 0},
		{66,
		 "807060504030201 c0b0a09 100f0e0d 1 1918171615141312 21201f1e1d1c1b1a "
		 "2928272625242322 1 3231302f2e2d2c2b 3a39383736353433 4241403f3e3d3c3b 0 0",
		 0},
		{67,
		 "807060504030201 c0b0a09 100f0e0d 1 1918171615141312 21201f1e1d1c1b1a "
		 "2928272625242322 1 3231302f2e2d2c2b 3a39383736353433 4241403f3e3d3c3b 1 0",
		 0},
		{76,
		 "807060504030201 c0b0a09 100f0e0d 1 1918171615141312 21201f1e1d1c1b1a "
		 "2928272625242322 1 3231302f2e2d2c2b 3a39383736353433 4241403f3e3d3c3b 1 1",
		 1},
		{99,
		 "807060504030201 c0b0a09 100f0e0d 1 1918171615141312 21201f1e1d1c1b1a "
		 "2928272625242322 1 3231302f2e2d2c2b 3a39383736353433 4241403f3e3d3c3b 1 1",
		 1},
	};
	uint8_t tail[100];

	for (size_t i = 0; i < sizeof(tail); i++)
		tail[i] = (uint8_t)(i + 1);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct buf b, want;

		buf_init(&b);
		buf_init(&want);
		size_t at = block_begin(&b, BLK_PL_V9);
		for (int k = 0; k < 2; k++) {
			put_v9(&b, tail, cases[i].bytes, 0);
			buf_printf(
				&want,
				"10 11 12 13 14 21 22 %lld / comm; exe; /bin/exe; a|bc; /cwd; X=1; "
				"cpu=/; /root; / 1024 7 1000 1001 1 2 3 4 5 / %s\n",
				cases[i].pgid_known ? 0x4c4b4a4948474645ll : -1ll, cases[i].tail);
		}
		block_end(&b, at);
		buf_putc(&want, 0);
		expect_lines(&b, want.p);
		buf_fini(&want);
	}
}

static void test_process_list_damage(void **state)
{
	static const uint8_t none[4];
	struct buf b;
	size_t at;

	/* The entry length: below itself, short of the fields, beyond the block. */
	for (int len = 0; len < 4; len++) {
		buf_init(&b);
		at = block_begin(&b, BLK_PL_V9);
		put_v9(&b, none, 0, 0);
		memcpy(b.p + 8, &len, 4);
		block_end(&b, at);
		expect_error(&b, 8, "process list entry: entry length: got");
	}
	buf_init(&b);
	at = block_begin(&b, BLK_PL_V9);
	put_v9(&b, none, 0, -2);
	size_t root = b.len - 5;
	block_end(&b, at);
	expect_error(&b, root, "root: expected 5 bytes, 3 are left");
	buf_init(&b);
	at = block_begin(&b, BLK_PL_V9);
	put_v9(&b, none, 0, 1000);
	block_end(&b, at);
	expect_error(&b, 8, "entry length");

	/* Texts: 1024 and 4096 are the longest allowed. */
	for (int over = 0; over <= 1; over++) {
		char comm[1026] = "";

		memset(comm, 'c', 1024 + (size_t)over);
		buf_init(&b);
		at = block_begin(&b, BLK_PL_V1);
		put_thread_fields(&b, 1, 10, comm);
		block_end(&b, at);
		if (over) {
			expect_error(&b, 8 + 24 + 2, "comm: got 1025 bytes, expected at most 1024");
		} else {
			struct seen s = {0};
			struct err e;

			assert_int_equal(decode(&b, &s, &e), 0);
			buf_fini(&s.lines);
			buf_fini(&b);
		}
	}
}

/* Blocks cut at every byte: an error inside an entry, or fewer entries, never a read behind the
 * end. */
static void test_cut_everywhere(void **state)
{
	static const uint32_t types[] = {BLK_PL_V1, BLK_PL_V5, BLK_PL_V8, BLK_PL_V9, BLK_MI};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		unsigned version = block_version(types[i]);
		struct buf b;

		buf_init(&b);
		if (types[i] == BLK_MI) {
			put_mi(&b, BLK_MI);
		} else {
			size_t at = block_begin(&b, types[i]);

			if (version == 9)
				put_v9(&b, (const uint8_t *)"12345", 5, 0);
			else
				put_thread_fields(&b, version, 10, "comm");
			block_end(&b, at);
		}
		/* The frame: the body ends 4 bytes before n. Up to 3 bytes of padding may go. */
		size_t whole = b.len;
		for (b.len = 0; b.len < whole; b.len++) {
			struct seen s = {0};
			struct err e;
			int r = decode(&b, &s, &e);

			if (b.len < 12 || (b.len < whole - 3 && b.len >= 16))
				assert_int_equal(r, ERR_FORMAT);
			if (r)
				assert_int_equal(s.lines.len, 1);
			assert_true(!r || e.pos <= b.len);
			buf_fini(&s.lines);
		}
		buf_fini(&b);
	}
}

/* ---- fd lists
 * --------------------------------------------------------------------------------------- */

static void put_fd(struct buf *b, bool sized, int64_t fd, uint8_t type, const void *data, size_t n)
{
	if (sized)
		put_int(b, 4 + 17 + n, 4);
	put_int(b, (uint64_t)fd, 8);
	put_int(b, 77, 8);
	put_int(b, type, 1);
	buf_put(b, data, n);
}

#define ZERO16 "00000000000000000000000000000000"
#define NO_SOCKET ZERO16 " " ZERO16 " 0 0 l4 0 unix 0 0"
#define ADDR6_A "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"
#define ADDR6_B "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2"
#define HEX6_A "20010db8000000000000000000000001"
#define HEX6_B "20010db8000000000000000000000002"

#define D(s) s, sizeof(s) - 1
static const struct fd_case {
	uint8_t type;
	const char *data;
	size_t n;
	const char *v1, *v2; /* behind the type; NULL = error; v2 NULL = as v1 */
} fd_cases[] = {
	{0, D(""), "type 0 ; flags 0 dev 0 " NO_SOCKET, NULL},
	{1, D("\3\0abc"), "type 1 abc; flags 0 dev 0 " NO_SOCKET, NULL},
	{2, D("\4\0/dir"), "type 2 /dir; flags 0 dev 0 " NO_SOCKET, NULL},
	{3, D("\x0a\0\0\1\x0a\0\0\2\x50\0\xbb\1\2"),
	 "type 3 ; flags 0 dev 0 0a000001000000000000000000000000 0a000002000000000000000000000000 "
	 "80 443 l4 2 unix 0 0",
	 NULL},
	{4, D(ADDR6_A ADDR6_B "\x50\0\xbb\1\3"),
	 "type 4 ; flags 0 dev 0 " HEX6_A " " HEX6_B " 80 443 l4 3 unix 0 0", NULL},
	{5, D("\x7f\0\0\1\x50\0\2"),
	 "type 5 ; flags 0 dev 0 7f000001000000000000000000000000 " ZERO16 " 80 0 l4 2 unix 0 0",
	 NULL},
	{6, D(ADDR6_A "\x50\0\2"),
	 "type 6 ; flags 0 dev 0 " HEX6_A " " ZERO16 " 80 0 l4 2 unix 0 0", NULL},
	{7, D("\4\0pipe"), "type 7 pipe; flags 0 dev 0 " NO_SOCKET, NULL},
	{8, D("\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\4\0sock"),
	 "type 8 sock; flags 0 dev 0 " ZERO16 " " ZERO16 " 0 0 l4 0 unix 1 2", NULL},
	{9, D("\0\0"), "type 9 ; flags 0 dev 0 " NO_SOCKET, NULL},
	{10, D("\1\0X"), "type 10 X; flags 0 dev 0 " NO_SOCKET, NULL},
	{11, D("\1\0s"), "type 11 s; flags 0 dev 0 " NO_SOCKET, NULL},
	{12, D("\1\0l"), "type 12 l; flags 0 dev 0 " NO_SOCKET, NULL},
	{13, D("\1\0i"), "type 13 i; flags 0 dev 0 " NO_SOCKET, NULL},
	{14, D("\1\0t"), "type 14 t; flags 0 dev 0 " NO_SOCKET, NULL},
	{15, D("\1\0n"), "type 15 n; flags 0 dev 0 " NO_SOCKET, NULL},
	{16, D("\5\0\0\0\1\0f"), "type 16 f; flags 5 dev 0 " NO_SOCKET, NULL},
	{16, D("\5\0\0\0\1\0f\1\x08\0\0"), NULL, "type 16 f; flags 5 dev 801 " NO_SOCKET},
	{17, D("\1\0b"), "type 17 b; flags 0 dev 0 " NO_SOCKET, NULL},
	{18, D("\1\0u"), "type 18 u; flags 0 dev 0 " NO_SOCKET, NULL},
	{19, D("\1\0r"), "type 19 r; flags 0 dev 0 " NO_SOCKET, NULL},
	{20, D("\1\0m"), "type 20 m; flags 0 dev 0 " NO_SOCKET, NULL},
	{21, D("\1\0P"), "type 21 P; flags 0 dev 0 " NO_SOCKET, NULL},
	{22, D("\1\0P"), NULL, "type 10 unknown-type:[22]; flags 0 dev 0 " NO_SOCKET},
	{255, D(""), NULL, "type 10 unknown-type:[255]; flags 0 dev 0 " NO_SOCKET},
};

static size_t begin_fds(struct buf *b, uint32_t type)
{
	buf_init(b);
	size_t at = block_begin(b, type);
	put_int(b, 4711, 8);
	return at;
}

static void check_fd_case(const struct fd_case *c, uint32_t type, const char *want)
{
	struct buf b, line;
	size_t at = begin_fds(&b, type);

	buf_init(&line);
	for (int fd = 3; fd < 5; fd++) {
		put_fd(&b, type == BLK_FDL_V2, fd, c->type, c->data, c->n);
		buf_printf(&line, "4711 fd %d ino 77 %s\n", fd, want);
	}
	buf_putc(&line, 0);
	block_end(&b, at);
	expect_lines(&b, line.p);
	buf_fini(&line);
}

static void test_fd_lists(void **state)
{
	struct buf b;

	for (size_t i = 0; i < ARRAY_SIZE(fd_cases); i++) {
		const struct fd_case *c = &fd_cases[i];

		if (c->v1) {
			check_fd_case(c, BLK_FDL_V1, c->v1);
			check_fd_case(c, BLK_FDL_V1_INT, c->v1);
		}
		check_fd_case(c, BLK_FDL_V2, c->v2 ? c->v2 : c->v1);
	}
	/* A thread without descriptors; bytes behind what is understood. */
	size_t at = begin_fds(&b, BLK_FDL_V2);
	block_end(&b, at);
	assert_int_equal(b.len, 20);
	expect_lines(&b, "");
	at = begin_fds(&b, BLK_FDL_V2);
	put_fd(&b, true, -1, 16, D("\5\0\0\0\1\0f\1\x08\0\0more to come"));
	put_fd(&b, true, 9, 7, D("\1\0p"));
	block_end(&b, at);
	expect_lines(&b, "4711 fd -1 ino 77 type 16 f; flags 5 dev 801 " NO_SOCKET "\n"
			 "4711 fd 9 ino 77 type 7 p; flags 0 dev 0 " NO_SOCKET "\n");
}

static void test_fd_list_damage(void **state)
{
	char name[2 + 1024] = "\0\4";
	struct buf b;
	size_t at;

	at = begin_fds(&b, BLK_FDL_V1);
	put_fd(&b, false, 3, 22, D("\1\0P"));
	block_end(&b, at);
	expect_error(&b, 16 + 17, "fd list entry: fd type: got 22, the greatest known is 21");

	at = begin_fds(&b, BLK_FDL_V2);
	put_fd(&b, true, 3, 7, D("\5\0pipe"));
	block_end(&b, at);
	expect_error(&b, 16 + 4 + 17 + 2, "name: expected 5 bytes, 4 are left");

	at = begin_fds(&b, BLK_FDL_V2);
	put_fd(&b, true, 3, 7, name, sizeof(name));
	block_end(&b, at);
	expect_error(&b, 16 + 4 + 17 + 2, "name: got 1024 bytes, expected at most 1023");

	buf_init(&b);
	at = block_begin(&b, BLK_FDL_V2);
	put_int(&b, 1, 4);
	block_end(&b, at);
	expect_error(&b, 8, "fd list: tid: expected 8 bytes, 4 are left");

	at = begin_fds(&b, BLK_FDL_V2);
	put_fd(&b, true, 3, 3, D("\x0a\0\0\1\x0a\0\0\2\x50\0\xbb\1"));
	block_end(&b, at);
	expect_error(&b, 16 + 4 + 17 + 12, "protocol: expected 1 bytes, 0 are left");
}

/* ---- interfaces and users
 * --------------------------------------------------------------------------- */

static void put_iface(struct buf *b, bool sized, unsigned type, const char *name, size_t extra)
{
	size_t addr = type == 2 || type == 4 ? 16 : 4, speed = type <= 2 ? 8 : 0;

	if (sized)
		put_int(b, 4 + 3 * addr + speed + strlen(name) + extra, 4);
	put_int(b, type, 2);
	put_int(b, strlen(name), 2);
	for (int k = 1; k <= 3; k++)
		for (size_t i = 0; i < addr; i++)
			put_int(b, (uint64_t)k, 1);
	put_int(b, 1000, speed);
	buf_puts(b, name);
	for (size_t i = 0; i < extra; i++)
		put_int(b, 0xee, 1);
}

#define FOUR(x) x x x x "000000000000000000000000"
#define SIXTEEN(x) x x x x x x x x x x x x x x x x

static void test_interfaces(void **state)
{
	static const char entries[] = "v4 " FOUR("01") " " FOUR("02") " " FOUR(
		"03") " 1000 eth0;\n"
		      "v6 " SIXTEEN("01") " " SIXTEEN("02") " " SIXTEEN(
			      "03") " 1000 eth1;\n"
				    "v4 " FOUR("01") " " FOUR("02") " " FOUR(
					    "03") " 0 lo;\n"
						  "v6 " SIXTEEN("01") " " SIXTEEN("02") " " SIXTEEN(
							  "03") " 0 lo;\n";
	static const uint32_t types[] = {BLK_IL_V1, BLK_IL_V1_INT, BLK_IL_V2};
	struct buf b;
	size_t at;

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		bool sized = types[i] == BLK_IL_V2;
		char want[1000];

		buf_init(&b);
		at = block_begin(&b, types[i]);
		put_iface(&b, sized, 1, "eth0", 0);
		put_iface(&b, sized, 2, "eth1", sized ? 5 : 0); /* extra bytes are skipped */
		put_iface(&b, sized, 3, "lo", 0);
		put_iface(&b, sized, 4, "lo", 0);
		block_end(&b, at);
		snprintf(want, sizeof(want), "list 0x%x\n%s", types[i], entries);
		expect_lines(&b, want);
	}
	for (unsigned type = 0; type <= 5; type += 5) {
		buf_init(&b);
		at = block_begin(&b, BLK_IL_V2);
		put_iface(&b, true, type, "eth0", 0);
		block_end(&b, at);
		expect_error(&b, 8 + 4 + 4, "interface list entry: interface type");
	}
	buf_init(&b);
	at = block_begin(&b, BLK_IL_V1);
	put_iface(&b, false, 1, "eth0", 0);
	memcpy(b.p + 10, "\0\4", 2);
	block_end(&b, at);
	expect_error(&b, 8 + 4 + 12 + 8, "interface name: got 1024 bytes, expected at most 1023");
}

static void put_user(struct buf *b, bool sized, bool group, const char *name)
{
	size_t n = group ? 1 + 4 + 2 + strlen(name) : 1 + 8 + 6 + strlen(name) + 5 + 7;

	if (sized)
		put_int(b, 4 + n, 4);
	put_int(b, group ? 1 : 0, 1);
	if (!group)
		put_int(b, 1000, 4);
	put_int(b, 100, 4);
	put_str(b, name);
	if (!group) {
		put_str(b, "/home");
		put_str(b, "/bin/sh");
	}
}

static void test_users(void **state)
{
	static const uint32_t types[] = {BLK_UL_V1, BLK_UL_V1_INT, BLK_UL_V2};
	char name[257] = "";
	struct buf b;
	size_t at;

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		bool sized = types[i] == BLK_UL_V2;
		char want[300];

		buf_init(&b);
		at = block_begin(&b, types[i]);
		put_user(&b, sized, false, "alice");
		put_user(&b, sized, true, "staff");
		put_user(&b, sized, false, "");
		block_end(&b, at);
		snprintf(want, sizeof(want),
			 "list 0x%x\nuser 1000 100 alice; /home; /bin/sh;\ngroup 0 100 staff; ; ;\n"
			 "user 1000 100 ; /home; /bin/sh;\n",
			 types[i]);
		expect_lines(&b, want);
	}
	memset(name, 'n', 256);
	buf_init(&b);
	at = block_begin(&b, BLK_UL_V2);
	put_user(&b, true, true, name);
	block_end(&b, at);
	expect_error(&b, 8 + 4 + 5 + 2,
		     "user list entry: name: got 256 bytes, expected at most 255");
}

/* ---- the rest
 * --------------------------------------------------------------------------------------- */

static void test_machine(void **state)
{
	struct buf b;

	for (int i = 0; i < 2; i++) {
		buf_init(&b);
		put_mi(&b, i ? BLK_MI_INT : BLK_MI);
		expect_lines(&b, "machine 2 8589934592 32768 host 1600000000 7\n");
	}
	/* A host name that fills its field is still a string. */
	buf_init(&b);
	put_mi(&b, BLK_MI);
	memset(b.p + 8 + 20, 'h', 128);
	struct seen s = {0};
	struct err e;
	assert_int_equal(decode(&b, &s, &e), 0);
	assert_non_null(strstr(s.lines.p, "hhhh 1600000000"));
	assert_int_equal(s.lines.len,
			 strlen("machine 2 8589934592 32768  1600000000 7\n") + 128 + 1);
	buf_fini(&s.lines);
	buf_fini(&b);
}

static void test_visitor(void **state)
{
	const struct meta_visitor nothing = {0};
	struct seen s = {.stop_after = 2};
	struct buf b;
	struct err e;

	buf_init(&b);
	size_t at = block_begin(&b, BLK_UL_V2);
	for (int i = 0; i < 3; i++)
		put_user(&b, true, false, "alice");
	block_end(&b, at);
	/* Stops with the visitor's code, here after the list's begin and one entry. */
	assert_int_equal(decode(&b, &s, &e), 42);
	assert_string_equal(s.lines.p, "list 0x220\nuser 1000 100 alice; /home; /bin/sh;\n");
	buf_fini(&s.lines);
	/* No visitor at all still checks; other blocks are ignored. */
	assert_int_equal(meta_decode((uint8_t *)b.p, (uint32_t)b.len, &nothing, NULL), 0);
	b.p[8] = 1;
	assert_int_equal(meta_decode((uint8_t *)b.p, (uint32_t)b.len, &nothing, NULL), ERR_FORMAT);
	memcpy(b.p, "\x99\x09\0\0", 4);
	assert_int_equal(meta_decode((uint8_t *)b.p, (uint32_t)b.len, &nothing, NULL), 0);
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_process_lists),
		cmocka_unit_test(test_process_list_tails),
		cmocka_unit_test(test_process_list_damage),
		cmocka_unit_test(test_cut_everywhere),
		cmocka_unit_test(test_fd_lists),
		cmocka_unit_test(test_fd_list_damage),
		cmocka_unit_test(test_interfaces),
		cmocka_unit_test(test_users),
		cmocka_unit_test(test_machine),
		cmocka_unit_test(test_visitor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
