#include "live/proc_tasks.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "live/scan_int.h"

int proc_each(void (*fn)(void *ctx, uint32_t tgid), void *ctx)
{
	struct dirent *de;
	DIR *d = opendir("/proc");

	if (!d)
		return -errno;
	while ((de = readdir(d)))
		if (isdigit((unsigned char)de->d_name[0]))
			fn(ctx, (uint32_t)atoi(de->d_name));
	closedir(d);
	return 0;
}

void proc_each_thread(uint32_t tgid, void (*fn)(void *ctx, uint32_t tgid, uint32_t tid), void *ctx)
{
	char path[64];
	struct dirent *de;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%u/task", tgid);
	d = opendir(path);
	if (!d)
		return;
	while ((de = readdir(d)))
		if (isdigit((unsigned char)de->d_name[0]))
			fn(ctx, tgid, (uint32_t)atoi(de->d_name));
	closedir(d);
}

/* ---- facts ----------------------------------------------------------------------------------- */

/* The value behind "key:" at the begin of a line; "" if there is none. */
static const char *value_of(const char *status, const char *key)
{
	size_t n = strlen(key);

	for (const char *p = status; p; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (!strncmp(p, key, n) && p[n] == ':')
			return p + n + 1;
	}
	return "";
}

/* The name, in which the kernel has escaped backslashes and ends of lines. */
static void copy_name(char *to, size_t cap, const char *p)
{
	size_t n = 0;

	p += *p == '\t';
	for (; *p && *p != '\n' && n + 1 < cap; p++) {
		if (*p == '\\' && (p[1] == '\\' || p[1] == 'n'))
			to[n++] = *++p == 'n' ? '\n' : '\\';
		else
			to[n++] = *p;
	}
	to[n] = 0;
}

bool proc_task(uint32_t tgid, uint32_t tid, struct cap_task *t)
{
	char path[64], text[4096];
	unsigned real;

	snprintf(path, sizeof(path), "/proc/%u/task/%u/status", tgid, tid);
	if (proc_read(path, text, sizeof(text)) <= 0)
		return false;
	*t = (struct cap_task){.tid = tid, .tgid = tgid};
	copy_name(t->comm, sizeof(t->comm), value_of(text, "Name"));
	t->ptid = (uint32_t)strtoul(value_of(text, "PPid"), NULL, 10);
	return sscanf(value_of(text, "Uid"), "%u %u", &real, &t->uid) == 2 &&
	       sscanf(value_of(text, "Gid"), "%u %u", &real, &t->gid) == 2;
}

bool proc_times(uint32_t tgid, uint32_t tid, struct proc_times *t)
{
	unsigned long long user, system, start;
	char path[64], text[1024];
	const char *p;

	if (tid)
		snprintf(path, sizeof(path), "/proc/%u/task/%u/stat", tgid, tid);
	else
		snprintf(path, sizeof(path), "/proc/%u/stat", tgid);
	if (proc_read(path, text, sizeof(text)) <= 0)
		return false;
	/* behind the name, which may hold anything: state and ten numbers, the times, five numbers,
	 * the start */
	p = strrchr(text, ')');
	if (!p ||
	    sscanf(p + 1,
		   " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %*d "
		   "%*d %llu",
		   &user, &system, &start) != 3)
		return false;
	*t = (struct proc_times){user, system, start};
	return true;
}
