/* Prints the built event tables as tab separated text, for event_facts.py.
 * usage: event_dump events|flags|ppm_sc|syscalls|errno */
#include <stdio.h>

#include "event/event.h"
#include "event/event_int.h"
#include "event/syscalls.h"

static const char *const type_names[] = {
	"NONE",
	"INT8",
	"INT16",
	"INT32",
	"INT64",
	"UINT8",
	"UINT16",
	"UINT32",
	"UINT64",
	"CHARBUF",
	"BYTEBUF",
	"ERRNO",
	"SOCKADDR",
	"SOCKTUPLE",
	"FD",
	"PID",
	"FDLIST",
	"FSPATH",
	"SYSCALLID",
	"SIGTYPE",
	"RELTIME",
	"ABSTIME",
	"PORT",
	"L4PROTO",
	"SOCKFAMILY",
	"BOOL",
	"IPV4ADDR",
	"DYN",
	"FLAGS8",
	"FLAGS16",
	"FLAGS32",
	"UID",
	"GID",
	"DOUBLE",
	"SIGSET",
	"CHARBUFARRAY",
	"CHARBUF_PAIR_ARRAY",
	"IPV4NET",
	"IPV6ADDR",
	"IPV6NET",
	"IPADDR",
	"IPNET",
	"MODE",
	"FSRELPATH",
	"ENUMFLAGS8",
	"ENUMFLAGS16",
	"ENUMFLAGS32",
	"FD32",
	"PID32",
};
static const char *const fmt_names[] = {"NA", "DEC", "HEX", "OCT", "PADDEC", "ID", "DIR"};
static const char *const base_names[] = {
	"UNKNOWN",  "OTHER",	"FILE",	  "NET",       "IPC",	   "MEMORY",	 "PROCESS",
	"SLEEP",    "SYSTEM",	"SIGNAL", "USER",      "TIME",	   "PROCESSING", "IO_READ",
	"IO_WRITE", "IO_OTHER", "WAIT",	  "SCHEDULER", "INTERNAL",
};
static const char *const source_names[] = {"SYSCALL", "TRACEPOINT", "PLUGIN", "METAEVENT", "ITER"};
static const char *const flag_names[] = {
	"CREATES_FD",	    "DESTROYS_FD",    "USES_FD",       "READS_FROM_FD",
	"WRITES_TO_FD",	    "MODIFIES_STATE", "UNUSED",	       "WAITS",
	"SKIPPARSERESET",   "OLD_VERSION",    "LARGE_PAYLOAD", "CONVERTER_MANAGED",
	"DROP_SIMPLE_CONS",
};

static void put_flags(uint32_t flags)
{
	const char *sep = "";

	if (!flags)
		printf("NONE");
	for (unsigned i = 0; i < ARRAY_SIZE(flag_names); i++)
		if (flags & 1u << i) {
			printf("%s%s", sep, flag_names[i]);
			sep = "|";
		}
}

static void put_category(unsigned c)
{
	printf("%s", base_names[c & EC_BASE_MASK]);
	for (unsigned i = 0; i < ARRAY_SIZE(source_names); i++)
		if (c & 1u << (8 + i))
			printf("|%s", source_names[i]);
}

static void put_params(const struct param_info *p, unsigned n)
{
	printf("%s", n ? "" : "-");
	for (unsigned i = 0; i < n; i++) {
		printf("%s%s:%s:%s", i ? ";" : "", p[i].name, type_names[p[i].type],
		       fmt_names[p[i].fmt]);
		if (p[i].flags)
			printf(":%s", p[i].flags->name);
		if (p[i].dyn)
			printf(":%s[%u]", p[i].dyn->name, p[i].dyn->n);
		if (p[i].dirfd >= 0)
			printf(":dirfd=%d", p[i].dirfd);
	}
}

static void dump_event(unsigned code)
{
	const struct event_info *t = &event_table[code];

	printf("%u\tPPME_%s\t%s\t%s\t", code, t->enum_name, t->name, t->is_exit ? "<" : ">");
	put_category(t->category);
	printf("\t");
	put_flags(t->flags);
	printf("\t%u\t", t->nparams);
	put_params(t->params_new, t->nparams);
	printf("\t%d\t", t->known_029);
	put_category(t->category_029);
	printf("\t");
	put_flags(t->flags_029);
	printf("\t%u\t", t->nparams_029);
	put_params(t->params, MAX(t->nparams, t->nparams_029));
	printf("\t%d\t%d\n", t->fd_param, t->res_param);
}

static void dump_flags(void)
{
	for (unsigned i = 0; i < flag_table_count; i++)
		for (unsigned j = 0; j < flag_tables[i]->n; j++)
			printf("%s\t%u\t%s\t%u\t%d\n", flag_tables[i]->name, j,
			       flag_tables[i]->e[j].name, flag_tables[i]->e[j].value,
			       j < flag_tables[i]->n_029);
	/* Dynamic tables have no list of their own: those that events use. */
	for (unsigned c = 0; c < EV_CODE_COUNT; c++)
		for (unsigned i = 0; i < event_table[c].nparams; i++) {
			const struct dyn_table *d = event_table[c].params_new[i].dyn;
			for (unsigned j = 0; d && j < d->n; j++)
				printf("DYN %s\t%u\t%s:%s\t%u\t1\n", d->name, j,
				       type_names[d->e[j].type], fmt_names[d->e[j].fmt], j);
		}
}

static void dump_ppm_sc(void)
{
	for (unsigned i = 0; i < SC_CODE_COUNT; i++)
		if (ppm_sc_name(i))
			printf("%u\t%s\t%s\t%s\n", i, ppm_sc_name(i),
			       ppm_sc_name_029(i) ? ppm_sc_name_029(i) : "-",
			       ppm_sc_name_029(i) ? base_names[ppm_sc_category_029(i)] : "-");
}

static void dump_syscalls(void)
{
	for (unsigned i = 0; i < syscall_table_count; i++) {
		const struct syscall_info *s = &syscall_table[i];

		if (s->name)
			printf("%u\t%s\t%u\t%u\t%u\t%u\t%u\t%d\t%d\n", i, s->name, s->sc, s->enter,
			       s->exit, s->enter_029, s->exit_029, s->driver, s->known_029);
	}
}

static void dump_errno(void)
{
	for (int i = 0; i < 4096; i++)
		if (errno_name(i))
			printf("errno\t%d\t%s\n", i, errno_name(i));
	for (unsigned i = 0; i < 256; i++)
		if (signal_name(i))
			printf("signal\t%u\t%s\n", i, signal_name(i));
}

int main(int argc, char **argv)
{
	const char *what = argc == 2 ? argv[1] : "";

	if (!strcmp(what, "events"))
		for (unsigned c = 0; c < EV_CODE_COUNT; c++)
			dump_event(c);
	else if (!strcmp(what, "flags"))
		dump_flags();
	else if (!strcmp(what, "ppm_sc"))
		dump_ppm_sc();
	else if (!strcmp(what, "syscalls"))
		dump_syscalls();
	else if (!strcmp(what, "errno"))
		dump_errno();
	else
		return 2;
	return 0;
}
