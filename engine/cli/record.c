/* The written trace (-w): what the options ask for, checked, and the writer made of it. */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/session.h"

static bool same_file(const char *in, const struct stat *out)
{
	struct stat st;
	int rc = strcmp(in, "-") ? stat(in, &st) : fstat(STDIN_FILENO, &st);

	return rc == 0 && st.st_dev == out->st_dev && st.st_ino == out->st_ino;
}

int record_check(const struct session *s, struct err *e)
{
	const struct cli_options *o = s->o;
	struct stat out;

	if (o->filter_proclist && !(s->filter_text && s->filter_text[0]))
		return err_set(e, ERR_SYNTAX, ERR_NO_POS, "option --filter-proclist needs a filter");
	if (!o->write_file || !strcmp(o->write_file, "-") || stat(o->write_file, &out) < 0 ||
	    !S_ISREG(out.st_mode))
		return 0;
	for (unsigned i = 0; i < o->nfiles; i++)
		if (same_file(o->files[i], &out))
			return err_set(e, ERR_SYNTAX, ERR_NO_POS, "%s is read: it cannot be written as well",
				       o->write_file);
	return 0;
}

static int record_filter(struct session *s, bool fat, struct err *e)
{
	struct demand types;
	int rc;

	filter_free(s->partner);
	s->partner = NULL;
	if (s->o->displayflt || !s->filter || !fat) {
		writer_set_filter(s->writer, s->filter && !s->o->displayflt, NULL);
		return 0;
	}
	rc = filter_compile_partner(&s->partner, s->capture_text, s->ro.compat029, e);
	if (rc < 0)
		return rc;
	demand_init(&types, s->ro.compat029);
	filter_types(s->partner, &types);
	writer_set_filter(s->writer, true, &types);
	return 0;
}

int record_begin(struct session *s, bool fat, struct err *e)
{
	struct writer_opts wo = {
		.pack = s->o->pack,
		.compat029 = s->ro.compat029,
		.fat = fat,
		.workers = s->workers,
	};
	int rc;

	if (!s->o->write_file)
		return 0;
	if (!s->writer) {
		rc = writer_new(&s->writer, s->o->write_file, &wo);
		if (rc < 0)
			return err_set(e, rc, ERR_NO_POS, "out of memory");
	}
	return record_filter(s, fat, e);
}

int record_end(struct session *s)
{
	struct err e;
	int rc;

	err_clear(&e);
	rc = writer_finish(s->writer, &e);
	if (rc < 0 && rc != ERR_INTERRUPTED && !s->write_failed)
		report_error(NULL, &e);
	return rc < 0 && rc != ERR_INTERRUPTED ? 1 : 0;
}
