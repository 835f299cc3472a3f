/* Accepts a program before it runs, so that the loop needs no checks: operands exist and have the
 * class that the instruction table says, constants are there, and every target lies behind its
 * instruction (so a program ends). A failure is a bug of ours, reported as an error all the same.
 */
#include "filter/filter_int.h"

#include <errno.h>

const struct filter_insn_info filter_insn_table[FI_COUNT] = {
#define OP(name, mnemonic, left, right, doc) {mnemonic, FL_##left, FR_##right, doc},
#include "filter/filter_ops.def"
#undef OP
};

static bool left_fits(unsigned left, uint8_t type)
{
	bool text = type == PT_CHARBUF || type == PT_FSPATH || type == PT_FSRELPATH ||
		    type == PT_BYTEBUF;
	bool addr = type == PT_IPADDR || type == PT_IPV4ADDR || type == PT_IPV6ADDR ||
		    type == PT_IPNET || type == PT_IPV4NET || type == PT_IPV6NET;

	switch (left) {
	case FL_NONE:
	case FL_ANY:
		return true;
	case FL_D:
		return type == PT_DOUBLE;
	case FL_A:
		return addr;
	case FL_T:
		return text || addr;
	default:
		return !text && !addr && type != PT_DOUBLE;
	}
}

/* NULL when the instruction is right. */
static const char *check_insn(const struct filter *f, const struct fprog *p, uint32_t i)
{
	const struct insn *in = &p->code[i];
	const struct filter_insn_info *info;

	if (in->op >= FI_COUNT)
		return "unknown instruction";
	info = &filter_insn_table[in->op];
	if (in->op == FI_ACCEPT || in->op == FI_REJECT)
		return i >= p->n - 2 ? NULL : "an end in the middle";
	if (in->run != (in->quant == FQ_ONE ? in->op : FI_COUNT))
		return "dispatch code is wrong";
	if (in->t <= i || in->f <= i || in->t >= p->n || in->f >= p->n)
		return "target out of range";
	if (info->left != FL_NONE && in->slot >= f->nslots)
		return "slot out of range";
	if (info->right == FR_SLOT &&
	    (in->rhs >= f->nslots || (in->op == FI_CMP_SLOT && in->sub >= FI_COUNT)))
		return "second slot out of range";
	if (info->right != FR_NONE && info->right != FR_SLOT && !in->c)
		return "constant is missing";
	if (info->left != FL_NONE && !left_fits(info->left, f->slots[in->slot].type))
		return "operand has the wrong type";
	if (info->left != FL_NONE && in->op != FI_HAS && info->right != FR_SLOT &&
	    (in->quant != FQ_ONE) != f->slots[in->slot].is_list)
		return "list and quantifier disagree";
	if (in->op == FI_CMP_SLOT &&
	    !left_fits(filter_insn_table[in->sub].left, f->slots[in->slot].type))
		return "operand has the wrong type";
	return NULL;
}

static int check_prog(const struct filter *f, const struct fprog *p, struct err *e)
{
	const char *why =
		p->n >= 2 && p->code[p->n - 2].op == FI_ACCEPT && p->code[p->n - 1].op == FI_REJECT
			? NULL
			: "the program has no end";

	for (uint32_t i = 0; !why && i < p->n; i++)
		if ((why = check_insn(f, p, i)))
			return err_set(e, -EINVAL, p->src[i].pos,
				       "internal error: filter instruction %u: %s", i, why);
	for (unsigned code = 0; !why && code < EV_CODE_COUNT; code++)
		if (p->entry[code] >= p->n)
			why = "entry out of range";
	return why ? err_set(e, -EINVAL, 0, "internal error: filter program: %s", why) : 0;
}

static bool header_only(const struct filter *f, const struct fprog *p)
{
	for (uint32_t i = 0; i + 2 < p->n; i++) {
		const struct filter_insn_info *info = &filter_insn_table[p->code[i].op];

		if (info->left != FL_NONE &&
		    (f->slots[p->code[i].slot].hdr == FH_NO || info->right == FR_SLOT))
			return false;
	}
	return true;
}

int filter_verify(const struct filter *f, struct err *e)
{
	const struct fprog *const shared[] = {&f->by_thread.upper, &f->by_thread.lower,
					      &f->by_fd.upper, &f->by_fd.lower};
	int rc = check_prog(f, &f->prog, e);

	for (uint32_t i = 0; !rc && i < f->nslots; i++)
		for (uint32_t k = 0; k < f->slots[i].narg; k++)
			if (f->slots[i].arg[k] >= i)
				return err_set(e, -EINVAL, 0,
					       "internal error: filter slot %u needs a later one",
					       i);
	if (!rc && f->header.n)
		rc = check_prog(f, &f->header, e);
	for (unsigned i = 0; !rc && i < ARRAY_SIZE(shared); i++)
		if (shared[i]->n)
			rc = check_prog(f, shared[i], e);
	if (!rc && f->header.n && !header_only(f, &f->header))
		rc = err_set(e, -EINVAL, 0,
			     "internal error: the header program needs more than the header");
	return rc;
}
