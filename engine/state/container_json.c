/* Container records: the JSON text of container events. The only place that knows jansson. */
#include "state/container.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

/* One record being read. Allocation failure is sticky in c->mem.failed. */
struct parse {
	struct container *c;
	json_t *obj;
};

static const char *keep_text(struct arena *mem, const char *s, size_t len)
{
	char *p = arena_alloc(mem, len + 1);

	if (!p)
		return "";
	memcpy(p, s, len);
	p[len] = 0;
	return p;
}

/* Text of a value: numbers and truth values count as their text, as in sysdig; others as empty. */
static const char *text_of(struct arena *mem, const json_t *v)
{
	char tmp[40];

	if (json_is_string(v))
		return json_string_length(v)
			       ? keep_text(mem, json_string_value(v), json_string_length(v))
			       : "";
	if (json_is_true(v))
		return "true";
	if (json_is_false(v))
		return "false";
	if (json_is_integer(v))
		snprintf(tmp, sizeof(tmp), "%lld", (long long)json_integer_value(v));
	else if (json_is_real(v))
		snprintf(tmp, sizeof(tmp), "%.17g", json_real_value(v));
	else
		return "";
	return keep_text(mem, tmp, strlen(tmp));
}

static const char *member_text(struct parse *p, const char *key)
{
	return text_of(&p->c->mem, json_object_get(p->obj, key));
}

static int64_t int_of(const json_t *v, int64_t otherwise)
{
	if (json_is_integer(v))
		return json_integer_value(v);
	if (json_is_real(v) && json_real_value(v) > -9e18 && json_real_value(v) < 9e18)
		return (int64_t)json_real_value(v);
	return otherwise;
}

static int64_t member_int(struct parse *p, const char *key, int64_t otherwise)
{
	return int_of(json_object_get(p->obj, key), otherwise);
}

static bool member_bool(struct parse *p, const char *key)
{
	return json_is_true(json_object_get(p->obj, key));
}

/* ---- arrays and objects ---- */

static void read_mounts(struct parse *p)
{
	json_t *a = json_object_get(p->obj, "Mounts");
	struct arena *mem = &p->c->mem;
	size_t n = json_array_size(a);
	struct container_mount *m = n ? arena_alloc(mem, n * sizeof(*m)) : NULL;

	if (!m)
		return;
	for (size_t i = 0; i < n; i++) {
		json_t *v = json_array_get(a, i);
		m[i].source = text_of(mem, json_object_get(v, "Source"));
		m[i].dest = text_of(mem, json_object_get(v, "Destination"));
		m[i].mode = text_of(mem, json_object_get(v, "Mode"));
		m[i].propagation = text_of(mem, json_object_get(v, "Propagation"));
		m[i].rdwr = !json_is_false(
			json_object_get(v, "RW")); /* writable unless said otherwise */
	}
	p->c->mounts = m;
	p->c->nmounts = (unsigned)n;
}

static void read_ports(struct parse *p)
{
	json_t *a = json_object_get(p->obj, "port_mappings");
	size_t n = json_array_size(a);
	struct container_port *m = n ? arena_alloc(&p->c->mem, n * sizeof(*m)) : NULL;

	if (!m)
		return;
	for (size_t i = 0; i < n; i++) {
		json_t *v = json_array_get(a, i);
		m[i].host_ip = (uint32_t)int_of(json_object_get(v, "HostIp"), 0);
		m[i].host_port = (uint16_t)int_of(json_object_get(v, "HostPort"), 0);
		m[i].container_port = (uint16_t)int_of(json_object_get(v, "ContainerPort"), 0);
	}
	p->c->ports = m;
	p->c->nports = (unsigned)n;
}

static int by_key(const void *x, const void *y)
{
	return strcmp(((const struct container_label *)x)->key,
		      ((const struct container_label *)y)->key);
}

/* Sorted by key, so that lists of labels look the same however the record was written. */
static const struct container_label *read_labels(struct parse *p, const char *key, unsigned *count)
{
	json_t *o = json_object_get(p->obj, key), *v;
	struct arena *mem = &p->c->mem;
	size_t n = json_object_size(o), i = 0;
	struct container_label *l = n ? arena_alloc(mem, n * sizeof(*l)) : NULL;
	const char *k;

	*count = 0;
	if (!l)
		return NULL;
	json_object_foreach(o, k, v)
	{
		l[i].key = keep_text(mem, k, strlen(k));
		l[i++].value = text_of(mem, v);
	}
	qsort(l, n, sizeof(*l), by_key);
	*count = (unsigned)n;
	return l;
}

static const char *const *read_texts(struct parse *p, const json_t *a, unsigned *count)
{
	size_t n = json_array_size(a);
	const char **t = n ? arena_alloc(&p->c->mem, n * sizeof(*t)) : NULL;

	*count = 0;
	if (!t)
		return NULL;
	for (size_t i = 0; i < n; i++)
		t[i] = text_of(&p->c->mem, json_array_get(a, i));
	*count = (unsigned)n;
	return t;
}

static void read_probe(struct parse *p, const char *key, struct container_probe *probe)
{
	json_t *o = json_object_get(p->obj, key);

	if (!json_is_object(o))
		return;
	probe->exe = text_of(&p->c->mem, json_object_get(o, "exe"));
	probe->args = read_texts(p, json_object_get(o, "args"), &probe->nargs);
}

static void read_texts_and_numbers(struct parse *p)
{
	struct container *c = p->c;

	c->id = member_text(p, "id");
	c->full_id = member_text(p, "full_id");
	c->name = member_text(p, "name");
	c->user = member_text(p, "User");
	c->image = member_text(p, "image");
	c->imageid = member_text(p, "imageid");
	c->imagerepo = member_text(p, "imagerepo");
	c->imagetag = member_text(p, "imagetag");
	c->imagedigest = member_text(p, "imagedigest");
	c->ip = member_text(p, "ip");
	c->cni_json = member_text(p, "cni_json");
	c->pod_sandbox_id = member_text(p, "pod_sandbox_id");
	c->mesos_task_id = member_text(p, "mesos_task_id");
	c->type = (uint16_t)member_int(p, "type", CT_UNKNOWN);
	c->lookup_state = (uint8_t)member_int(p, "lookup_state", CL_SUCCESSFUL);
	c->privileged = member_bool(p, "privileged");
	c->is_pod_sandbox = member_bool(p, "is_pod_sandbox");
	c->host_pid = member_bool(p, "host_pid");
	c->host_network = member_bool(p, "host_network");
	c->host_ipc = member_bool(p, "host_ipc");
	c->created_s = member_int(p, "created_time", 0);
	c->metadata_deadline_ns = (uint64_t)member_int(p, "metadata_deadline", 0);
	c->memory_limit = member_int(p, "memory_limit", 0);
	c->swap_limit = member_int(p, "swap_limit", 0);
	c->cpu_shares = member_int(p, "cpu_shares", 1024);
	c->cpu_quota = member_int(p, "cpu_quota", 0);
	c->cpu_period = member_int(p, "cpu_period", 100000);
	c->cpuset_cpu_count = member_int(p, "cpuset_cpu_count", 0);
}

/* ---- whole records ---- */

/* Length of the UTF-8 sequence at p, 0 if it is none. */
static size_t utf8_len(const uint8_t *p, size_t left)
{
	static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n = *p < 0x80 ? 1 : *p >= 0xf0 ? 4 : *p >= 0xe0 ? 3 : *p >= 0xc2 ? 2 : 0;

	if (n < 2)
		return n;
	uint32_t v = *p & (0xffu >> (n + 1));
	if (n > left || *p > 0xf4)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		v = v << 6 | (p[i] & 0x3f);
	}
	return v >= least[n] && v <= 0x10ffff && (v < 0xd800 || v > 0xdfff) ? n : 0;
}

/* The JSON library wants clean UTF-8, names of files and labels need not be: a bad byte becomes
 * '?'. */
static json_t *load(const char *json, size_t len, json_error_t *err)
{
	uint8_t *copy = malloc(len + 1);
	json_t *v;

	if (!copy)
		return NULL;
	memcpy(copy, json, len);
	for (size_t i = 0, n; i < len; i += n ? n : 1) {
		n = utf8_len(copy + i, len - i);
		if (n == 0)
			copy[i] = '?';
	}
	v = json_loadb((const char *)copy, len, JSON_ALLOW_NUL | JSON_DISABLE_EOF_CHECK, err);
	free(copy);
	return v;
}

static struct container *new_container(void)
{
	struct container *c = calloc(1, sizeof(*c));

	if (c)
		arena_init(&c->mem);
	return c;
}

void container_free(struct container *c)
{
	if (!c)
		return;
	arena_fini(&c->mem);
	free(c);
}

static int read_container(struct container *c, json_t *obj, struct err *e)
{
	struct parse p = {c, obj};

	read_texts_and_numbers(&p);
	read_mounts(&p);
	read_ports(&p);
	c->labels = read_labels(&p, "labels", &c->nlabels);
	c->sandbox_labels = read_labels(&p, "pod_sandbox_labels", &c->nsandbox_labels);
	c->env = read_texts(&p, json_object_get(obj, "env"), &c->nenv);
	read_probe(&p, "Healthcheck", &c->healthcheck);
	read_probe(&p, "LivenessProbe", &c->liveness);
	read_probe(&p, "ReadinessProbe", &c->readiness);
	return c->mem.failed ? err_set(e, -ENOMEM, ERR_NO_POS, "out of memory") : 0;
}

int container_parse(struct container **out, const char *json, size_t len, struct err *e)
{
	json_error_t why = {.position = 0};
	json_t *root = load(json, len, &why);
	struct container *c = NULL;
	int rc;

	if (!json_is_object(root)) {
		rc = err_set(e, ERR_FORMAT, (uint64_t)(root ? 0 : why.position),
			     "container record: %s", root ? "an object is expected" : why.text);
		goto out;
	}
	c = new_container();
	rc = c ? read_container(c, json_object_get(root, "container"), e)
	       : err_set(e, -ENOMEM, ERR_NO_POS, "out of memory");
	if (rc == 0) {
		*out = c;
		c = NULL;
	}
out:
	container_free(c);
	json_decref(root);
	return rc;
}
