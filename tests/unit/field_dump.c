/* Prints the field table, one row a line, tab separated: for tests/unit/field_facts.py. */
#include <stdio.h>

#include "field/field.h"

static void put_flags(uint32_t flags)
{
	static const struct {
		uint32_t f;
		const char *name;
	} names[] = {
		{FF_LIST, "LIST"},
		{FF_FILTER_ONLY, "FILTER_ONLY"},
		{FF_PRINT_ONLY, "PRINT_ONLY"},
		{FF_ARG_REQUIRED, "ARG_REQUIRED"},
		{FF_ARG_OPTIONAL, "ARG_ALLOWED"},
		{FF_NO_RHS, "NO_RHS"},
		{FF_NO_TRANSFORMER, "NO_TRANSFORMER"},
		{FF_TABLE_ONLY, "TABLE_ONLY"},
		{FF_DEPRECATED, "DEPRECATED"},
		{FF_HIDDEN, "HIDDEN"},
	};
	bool any = false;

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		if (flags & names[i].f) {
			printf("%s%s", any ? "|" : "", names[i].name);
			any = true;
		}
	}
	fputs(any ? "" : "NONE", stdout);
}

static const char *fmt_name(unsigned fmt)
{
	static const char *const names[] = {
		[PF_NA] = "NA",
		[PF_DEC] = "DEC",
		[PF_HEX] = "HEX",
		[PF_OCT] = "OCT",
		[PF_PADDEC] = "10_PADDED_DEC",
		[PF_ID] = "ID",
		[PF_DIR] = "DIR",
	};

	return fmt < ARRAY_SIZE(names) ? names[fmt] : "?";
}

int main(void)
{
	unsigned n;
	const struct field_info *f = field_table(&n);

	for (; n; n--, f++) {
		printf("%s\t%s\t%s\t", f->name,
		       strcmp(field_type_name(f->type), "DYNAMIC") ? field_type_name(f->type)
								   : "DYN",
		       fmt_name(f->fmt));
		put_flags(f->flags);
		printf("\t%d\t%d\t%s\t", f->known_029, f->known_new,
		       !f->known_029 ? "-"
		       : strcmp(field_type_name(f->type_029), "DYNAMIC")
			       ? field_type_name(f->type_029)
			       : "DYN");
		put_flags(f->flags_029);
		printf("\t%s\n", f->help);
	}
	return 0;
}
