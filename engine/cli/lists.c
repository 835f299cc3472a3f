#include "cli/lists.h"

#include <stdio.h>
#include <unistd.h>

#include "cli/session.h"
#include "live/doctor.h"
#include "live/probe.h"

/* ---- chisels (-cl, -i) --------------------------------------------------------------------------------- */

static int list_chisels(const struct cli_options *o, struct buf *out)
{
	struct render_opts ro = o->ro;
	struct chisel_host host = {.workers = 1, .ro = &ro, .filter_text = "", .lua_seconds = 5};
	struct chisels *cs = NULL;
	struct err e;
	int rc = chisels_new(&cs, &host);

	err_clear(&e);
	if (rc < 0)
		err_set(&e, rc, ERR_NO_POS, "out of memory");
	else if (o->action == ACT_LIST_CHISELS)
		rc = chisels_list(cs, o->ro.json, out, &e);
	else
		rc = chisels_info(cs, o->chisel_info, o->ro.json, out, &e);
	if (rc < 0)
		report_error(NULL, &e);
	chisels_free(cs);
	return rc < 0 ? 1 : 0;
}

static int doctor(const struct cli_options *o, struct buf *out)
{
	struct probe_opts po = {.attach = (enum probe_attach)o->attach, .btf = o->btf};

	return !doctor_report(out, &po);
}

/* ---- all lists ------------------------------------------------------------------------------------- */

static int flush(struct buf *out, int code)
{
	struct err e;
	struct sink sink;

	err_clear(&e);
	sink_init(&sink, STDOUT_FILENO, false);
	if (sink_write(&sink, out, &e) < 0 && e.code != ERR_INTERRUPTED) {
		report_error(NULL, &e);
		code = 1;
	}
	sink_fini(&sink);
	buf_fini(out);
	return code;
}

int lists_run(const struct cli_options *o)
{
	struct buf out;

	int code = 0;

	buf_init(&out);
	switch (o->action) {
	case ACT_HELP:
		if (o->ro.json)
			cli_help_json(&out);
		else
			cli_help(o->help_all, &out);
		break;
	case ACT_VERSION: buf_puts(&out, "burin version " BURIN_VERSION "\n"); break;
	case ACT_LIBS_VERSION: buf_puts(&out, "libburin version " BURIN_VERSION "\n"); break;
	case ACT_LIST_FIELDS:
		if (o->ro.json)
			field_list_json(&out);
		else
			field_list(&out, o->verbose);
		break;
	case ACT_LIST_MARKDOWN: field_list_markdown(&out); break;
	case ACT_LIST_EVENTS: lists_events(o->ro.compat029, o->ro.json, &out); break;
	case ACT_LIST_CHISELS: case ACT_CHISEL_INFO: code = list_chisels(o, &out); break;
	case ACT_DOCTOR: code = doctor(o, &out); break;
	case ACT_PRINT_FORMAT: buf_printf(&out, "%s\n", cli_format(o)); break;
	default: break;
	}
	return flush(&out, code);
}

int lists_explain(const struct filter *f)
{
	struct buf out;

	buf_init(&out);
	if (f)
		filter_explain(f, &out);
	else
		buf_lit(&out, "no filter: every event passes\n");
	return flush(&out, 0);
}
