#include "live/doctor.h"

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
	void (*run)(struct finding *f);
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

static bool kernel_at_least(unsigned major, unsigned minor)
{
	struct utsname u;
	unsigned a = 0, b = 0;

	uname(&u);
	if (sscanf(u.release, "%u.%u", &a, &b) != 2)
		return true; /* let the kernel speak for itself */
	return a > major || (a == major && b >= minor);
}

static void check_kernel(struct finding *f)
{
	struct utsname u;

	uname(&u);
	/* task storage for tracing programs came last of what is needed */
	f->ok = kernel_at_least(5, 11);
	snprintf(f->text, sizeof(f->text),
		 f->ok ? "%s" : "%s is too old for live capture: Linux 5.11 or later is needed",
		 u.release);
}

static void check_btf(struct finding *f)
{
	char path[512];

	f->ok = access(system_file(path, sizeof(path), "/sys/kernel/btf/vmlinux"), R_OK) == 0;
	snprintf(f->text, sizeof(f->text), "%s",
		 f->ok ? "/sys/kernel/btf/vmlinux"
		       : "this kernel has no type information (/sys/kernel/btf/vmlinux): one built "
			 "with "
			 "CONFIG_DEBUG_INFO_BTF is needed");
}

static void check_caps(struct finding *f)
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

static void check_lockdown(struct finding *f)
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

static void check_memory(struct finding *f)
{
	struct rlimit r;

	getrlimit(RLIMIT_MEMLOCK, &r);
	f->ok = kernel_at_least(5, 11) || r.rlim_cur == RLIM_INFINITY;
	snprintf(f->text, sizeof(f->text),
		 f->ok ? "rings count as memory of the cgroup"
		       : "the limit of locked memory is %lu kB: use \"ulimit -l unlimited\"",
		 (unsigned long)(r.rlim_cur >> 10));
}

static void check_jit(struct finding *f)
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

static bool programs_load(struct err *e)
{
	struct probe_opts o = {.ring_bytes = 4096, .snaplen = 80, .by_tree = true};
	struct probe *p;

	err_clear(e);
	if (probe_open(&p, &o, e))
		return false;
	probe_close(p);
	return true;
}

bool doctor_report(struct buf *out)
{
	bool all = true, loads;
	struct err e;

	for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
		struct finding f = {0};

		checks[i].run(&f);
		all &= f.ok || checks[i].run == check_jit;
		buf_printf(out, "%-4s %s: %s\n", f.ok ? "ok" : "no", checks[i].name, f.text);
	}
	loads = programs_load(&e);
	buf_printf(out, "%-4s programs: %s\n", loads ? "ok" : "no",
		   loads ? "the kernel takes them"
		   : all ? e.msg
			 : "the kernel refuses them, see above");
	return loads;
}

int doctor_explain(struct err *e, int code, const char *said)
{
	for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
		struct finding f = {0};

		checks[i].run(&f);
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

	check_lockdown(&f);
	return f.ok ? 0 : err_set(e, -EPERM, ERR_NO_POS, "live capture: lockdown: %s", f.text);
}
