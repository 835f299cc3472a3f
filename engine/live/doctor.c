#include "live/doctor.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "live/privilege.h"
#include "live/probe.h"

/* What a check found: text for "ok", or what is wrong and what to do. */
struct finding {
	bool ok;
	char text[256];
};

struct check {
	const char *name;
	void (*run)(struct finding *f, const struct probe_opts *o);
};

/* The kernel's files; tests put others in their place. */
static const char *system_file(char *out, size_t cap, const char *path)
{
	const char *root = getenv("BURIN_SYS_ROOT");

	snprintf(out, cap, "%s%s", root ? root : "", path);
	return out;
}

static FILE *system_open(const char *path)
{
	char full[512];

	return fopen(system_file(full, sizeof(full), path), "re");
}

bool doctor_kernel_at_least(unsigned major, unsigned minor)
{
	struct utsname u;
	unsigned a = 0, b = 0;

	uname(&u);
	if (sscanf(u.release, "%u.%u", &a, &b) != 2)
		return true; /* let the kernel speak for itself */
	return a > major || (a == major && b >= minor);
}

static void check_kernel(struct finding *f, const struct probe_opts *o)
{
	struct utsname u;

	uname(&u);
	/* BPF ring buffers; tp_btf asks for more, raw tracepoints do not (bpf/form.bpf.h) */
	f->ok = doctor_kernel_at_least(5, 8);
	snprintf(f->text, sizeof(f->text),
		 f->ok ? "%s" : "%s is too old for live capture: Linux 5.8 or later is needed",
		 u.release);
}

/* Whether the file has types at all: if they are the running kernel's, loading tells. */
static void check_btf_file(struct finding *f, const char *path)
{
	struct btf *btf = btf__parse(path, NULL);
	long rc = libbpf_get_error(btf);

	f->ok = !rc;
	/* without such a part "no such file" is what the library says */
	snprintf(f->text, sizeof(f->text), rc ? "%.200s: %s" : "%.200s", path,
		 access(path, R_OK) ? strerror(errno) : "no file with BTF");
	if (!rc)
		btf__free(btf);
}

bool doctor_kernel_has_types(void)
{
	char path[512];

	return access(system_file(path, sizeof(path), "/sys/kernel/btf/vmlinux"), R_OK) == 0;
}

static void check_btf(struct finding *f, const struct probe_opts *o)
{
	bool given = o->btf && o->attach != PROBE_BTF;

	f->ok = true;
	if (doctor_kernel_has_types() && !(given && o->attach == PROBE_RAW)) {
		snprintf(f->text, sizeof(f->text), "/sys/kernel/btf/vmlinux");
	} else if (given) {
		check_btf_file(f, o->btf);
	} else {
		f->ok = false;
		snprintf(f->text, sizeof(f->text),
			 "this kernel has no type information (/sys/kernel/btf/vmlinux): give a "
			 "file that has it with --btf FILE, from BTFHub or made by pahole from the "
			 "kernel's vmlinux%s",
			 o->attach == PROBE_BTF ? ", and let --attach be auto" : "");
	}
}

static void check_caps(struct finding *f, const struct probe_opts *o)
{
	static const struct {
		unsigned cap;
		const char *name;
	} needed[] = {{CAP_BPF, "CAP_BPF"}, {CAP_PERFMON, "CAP_PERFMON"}};
	size_t n = 0;

	f->ok = privilege_has(CAP_SYS_ADMIN);
	for (size_t i = 0; !f->ok && i < ARRAY_SIZE(needed); i++)
		if (!privilege_has(needed[i].cap))
			n += (size_t)snprintf(f->text + n, sizeof(f->text) - n, "%s%s",
					      n ? ", " : "missing ", needed[i].name);
	if (n)
		snprintf(f->text + n, sizeof(f->text) - n,
			 ": run it as root, or \"setcap "
			 "cap_bpf,cap_perfmon,cap_sys_ptrace,cap_dac_read_search+ep\" the program");
	else
		snprintf(f->text, sizeof(f->text), "enough%s",
			 privilege_has(CAP_SYS_PTRACE)
				 ? ""
				 : ", but without CAP_SYS_PTRACE the files of "
				   "other users' processes stay unnamed");
	f->ok = !n;
}

static void check_lockdown(struct finding *f, const struct probe_opts *o)
{
	char text[128] = "none";
	FILE *file = system_open("/sys/kernel/security/lockdown");

	if (file) {
		if (!fgets(text, sizeof(text), file))
			text[0] = 0;
		fclose(file);
		text[strcspn(text, "\n")] = 0;
	}
	f->ok = !strstr(text, "[confidentiality]");
	snprintf(f->text, sizeof(f->text),
		 f->ok ? "%s"
		       : "%s: the kernel is locked down, so no program may read its memory; "
			 "start it with lockdown=integrity or none",
		 text);
}

static void check_memory(struct finding *f, const struct probe_opts *o)
{
	struct rlimit r;

	getrlimit(RLIMIT_MEMLOCK, &r);
	f->ok = doctor_kernel_at_least(5, 11) || r.rlim_cur == RLIM_INFINITY ||
		privilege_has(CAP_SYS_RESOURCE); /* lifted by the probe */
	snprintf(f->text, sizeof(f->text),
		 f->ok ? "rings count as memory of the cgroup"
		       : "the limit of locked memory is %lu kB: use \"ulimit -l unlimited\"",
		 (unsigned long)(r.rlim_cur >> 10));
}

static void check_jit(struct finding *f, const struct probe_opts *o)
{
	FILE *file = system_open("/proc/sys/net/core/bpf_jit_enable");
	int c = file ? fgetc(file) : '1';

	if (file)
		fclose(file);
	f->ok = c != '0';
	snprintf(f->text, sizeof(f->text), "%s",
		 f->ok ? "on"
		       : "off, every event costs several times as much: sysctl "
			 "net.core.bpf_jit_enable=1");
}

static const struct check checks[] = {
	{"kernel", check_kernel},	{"type information", check_btf},
	{"permission", check_caps},	{"lockdown", check_lockdown},
	{"memory limit", check_memory}, {"compiler of BPF programs", check_jit},
};

/* how: what loads. */
static bool programs_load(const struct probe_opts *given, char *how, size_t cap, struct err *e)
{
	struct probe_opts o = {.attach = given->attach,
			       .btf = given->btf,
			       .ring_bytes = 4096,
			       .snaplen = 80,
			       .by_tree = true};
	struct probe *p;

	err_clear(e);
	if (probe_open(&p, &o, e))
		return false;
	probe_how(p, how, cap);
	probe_close(p);
	return true;
}

static const struct probe_opts ordinary = {.attach = PROBE_AUTO};

bool doctor_report(struct buf *out, const struct probe_opts *o)
{
	char how[320];
	bool all = true;
	struct err e;

	o = o ? o : &ordinary;
	for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
		struct finding f = {0};

		checks[i].run(&f, o);
		all &= f.ok || checks[i].run == check_jit;
		buf_printf(out, "%-4s %s: %s\n", f.ok ? "ok" : "no", checks[i].name, f.text);
	}
	if (programs_load(o, how, sizeof(how), &e)) {
		buf_printf(out, "ok   programs: the kernel takes them, attached by %s\n", how);
		return true;
	}
	buf_printf(out, "no   programs: %s\n", all ? e.msg : "the kernel refuses them, see above");
	return false;
}

int doctor_explain(struct err *e, const struct probe_opts *o, int code, const char *said)
{
	for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
		struct finding f = {0};

		checks[i].run(&f, o);
		if (!f.ok && checks[i].run != check_jit)
			return err_set(e, code, ERR_NO_POS, "live capture: %s: %s", checks[i].name,
				       f.text);
	}
	if (code == -EPERM || code == -EACCES)
		return err_set(e, code, ERR_NO_POS,
			       "live capture: the kernel refuses the programs: %s", said);
	return err_set(e, code, ERR_NO_POS, "live capture: can't load the programs: %s (%s)", said,
		       strerror(-code));
}

int doctor_refuse(struct err *e)
{
	struct finding f = {0};

	check_lockdown(&f, &ordinary);
	return f.ok ? 0 : err_set(e, -EPERM, ERR_NO_POS, "live capture: lockdown: %s", f.text);
}
