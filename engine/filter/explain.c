/* --explain: a compiled filter as text. The text is part of the interface (golden tests). */
#include "filter/filter_int.h"

#include <stdio.h>

/* A merged test may cover parentheses that open outside it: there the text is cut. */
static void put_span(struct buf *b, const struct filter *f, struct span s)
{
	int open = 0;

	for (uint32_t i = 0; i < s.len; i++) {
		char c = f->text[s.pos + i];

		open += c == '(' ? 1 : c == ')' ? -1 : 0;
		if (open < 0) {
			buf_lit(b, " ...");
			return;
		}
		buf_putc(b, (unsigned char)c < ' ' ? ' ' : c);
	}
}

void filter_put_demand(struct buf *b, uint32_t bits)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} names[] = {
		{DEMAND_THREADS, "threads"}, {DEMAND_FDS, "fds"},
		{DEMAND_PAIRS, "pairs"},     {DEMAND_VOLATILE, "volatile"},
		{DEMAND_USERS, "users"},     {DEMAND_CONTAINERS, "containers"},
		{DEMAND_CPU, "cpu"},
	};

	bool any = false;

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		if (bits & names[i].bit) {
			buf_printf(b, "%s%s", any ? " " : "", names[i].name);
			any = true;
		}
	}
}

/* Names of event types, each code with its direction; many: the number only. */
static void put_codes(struct buf *b, const uint64_t *bits)
{
	unsigned n = 0;

	for (unsigned c = 0; c < EV_CODE_COUNT; c++)
		n += bits[c / 64] >> (c % 64) & 1;
	if (n == EV_CODE_COUNT) {
		buf_lit(b, " all");
		return;
	}
	if (n > 64) {
		buf_printf(b, " %u of %u", n, (unsigned)EV_CODE_COUNT);
		return;
	}
	for (unsigned c = 0; c < EV_CODE_COUNT; c++)
		if (bits[c / 64] >> (c % 64) & 1)
			buf_printf(b, " %s%s(%u)", c & 1 ? "<" : ">", event_table[c].name, c);
	if (!n)
		buf_lit(b, " none");
}

static void put_slots(struct buf *b, const struct filter *f)
{
	buf_lit(b, "slots:\n");
	for (uint32_t i = 0; i < f->nslots; i++) {
		const struct fslot *s = &f->slots[i];

		buf_printf(b, "  s%u = ", i);
		put_span(b, f, s->span);
		if (s->is_list)
			buf_lit(b, " (list)");
		buf_lit(b, "\n");
	}
}

/* Number and label of a target: the two ends by name. */
static void put_target(struct buf *b, const struct fprog *p, uint32_t t)
{
	if (t == p->n - 2)
		buf_printf(b, "%-6s", "accept");
	else if (t == p->n - 1)
		buf_printf(b, "%-6s", "reject");
	else
		buf_printf(b, "%-6u", t);
}

static void insn_name(const struct insn *in, char *op, size_t cap)
{
	static const char *const quants[] = {"", ".some", ".all"};
	static const char *const mods[] = {"", " one", " any", " all"};

	snprintf(op, cap, "%s%s%s%s%s", filter_insn_table[in->op].mnemonic, quants[in->quant], mods[in->mode],
		 in->sub ? " " : "", in->sub ? filter_insn_table[in->sub].mnemonic : "");
}

void explain_insn(const struct filter *f, const struct fprog *p, uint32_t i, struct buf *op, struct buf *src)
{
	char name[64];

	insn_name(&p->code[i], name, sizeof(name));
	buf_puts(op, name);
	put_span(src, f, p->src[i]);
}

static void put_insn(struct buf *b, const struct filter *f, const struct fprog *p, uint32_t i)
{
	const struct insn *in = &p->code[i];
	const struct filter_insn_info *info = &filter_insn_table[in->op];
	char op[64];

	insn_name(in, op, sizeof(op));
	buf_printf(b, "  %3u %-18s", i, op);
	if (info->left != FL_NONE)
		buf_printf(b, " s%-3u", in->slot);
	else
		buf_lit(b, "     ");
	if (info->right == FR_SLOT)
		buf_printf(b, " s%-3u", in->rhs);
	else
		buf_lit(b, "     ");
	buf_lit(b, " yes ");
	put_target(b, p, in->t);
	buf_lit(b, " no ");
	put_target(b, p, in->f);
	buf_lit(b, " | ");
	put_span(b, f, p->src[i]);
	buf_lit(b, "\n");
}

static void put_prog(struct buf *b, const struct filter *f, const struct fprog *p, const char *name)
{
	buf_printf(b, "%s:\n", name);
	if (p->n == 2)
		buf_printf(b, "    0 %s every event\n", p->entry[0] == 0 ? "accept" : "reject");
	for (uint32_t i = 0; i + 2 < p->n; i++)
		put_insn(b, f, p, i);
}

static void put_shared(struct buf *b, const struct filter *f, const struct fshared *s,
		       const char *what)
{
	if (!s->by)
		return;
	if (s->exact) {
		buf_printf(b, "decided once per %s: yes\n", what);
		return;
	}
	if (s->upper.n > 2) { /* else it accepts all */
		buf_printf(b, "once per %s, ", what);
		put_prog(b, f, &s->upper, "may match");
	}
	if (s->lower.n) {
		buf_printf(b, "once per %s, ", what);
		put_prog(b, f, &s->lower, "must match");
	}
}

void filter_explain(const struct filter *f, struct buf *b)
{
	buf_lit(b, "filter: ");
	put_span(b, f, (struct span){0, f->len});
	buf_lit(b, "\n");
	buf_lit(b, "demand: ");
	filter_put_demand(b, f->demand);
	buf_puts(b, f->demand ? "\ntypes:" : "nothing but the event\ntypes:");
	put_codes(b, f->types);
	buf_lit(b, "\n");
	if (f->looks_back)
		buf_lit(b,
			"order: evaluated in order for every event, because a field looks back\n");
	if (f->header.n)
		put_prog(b, f, &f->header, "digest program");
	if (f->header_decides)
		buf_lit(b, "decided in the digest: yes\n");
	put_shared(b, f, &f->by_thread, "thread");
	put_shared(b, f, &f->by_fd, "descriptor");
	if (f->nslots)
		put_slots(b, f);
	put_prog(b, f, &f->prog, "program");
}
