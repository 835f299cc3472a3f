/* syslog.*: messages written to /dev/log: "<PRIORITY>text", priority = facility * 8 + severity. The
 * first byte may be any, as in sysdig. */
#include "field/field_int.h"

static const char *const severities[8] = {
	"emerg", "alert", "crit", "err", "warn", "notice", "info", "debug",
};
static const char *const facilities[24] = {
	"kern",	  "user",   "mail",	"daemon", "auth",   "syslog",	"lpr",	    "news",
	"uucp",	  "clock",  "authpriv", "ftp",	  "ntp",    "logaudit", "logalert", "cron",
	"local0", "local1", "local2",	"local3", "local4", "local5",	"local6",   "local7",
};

struct message {
	unsigned priority;
	const char *text;
	uint32_t len;
};

/* The bytes that this write wrote to a system log, with a priority in front; false if it is no such
 * write. */
static bool syslog_message(struct field_env *env, struct message *m)
{
	int i = event_param_index(env, "data", 4);
	const uint8_t *p;
	uint32_t n, at = 1;
	struct value v;

	if (!is_exit(env) || i < 0)
		return false;
	get_evt_is_syslog(NULL, env, &v);
	if (!v.u || !event_param(&env->c->ev, (unsigned)i, &p, &n) || n < 3)
		return false;
	m->priority = 0;
	for (; at < n && p[at] >= '0' && p[at] <= '9'; at++) /* may wrap, as in sysdig */
		m->priority = m->priority * 10 + p[at] - '0';
	if (at == 1 || at >= n || p[at] != '>')
		return false;
	m->text = (const char *)p + at + 1;
	m->len = n - at - 1;
	return true;
}

void get_syslog(const struct field_ref *r, struct field_env *env, struct value *v)
{
	unsigned which = r->info->sel & SL_WHICH, n;
	struct message m;

	if (!syslog_message(env, &m))
		return;
	if (which == SL_MESSAGE) {
		set_text(v, m.text, m.len);
		return;
	}
	n = which == SL_SEVERITY ? m.priority & 7 : m.priority >> 3;
	if (!(r->info->sel & SL_TEXT))
		set_u(v, n);
	else if (which == SL_SEVERITY)
		set_str(v, severities[n]);
	else
		set_str(v, n < ARRAY_SIZE(facilities) ? facilities[n] : "<NA>");
}
