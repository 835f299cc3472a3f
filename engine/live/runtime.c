#include "live/runtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state/container.h"

const char *runtime_text(const json_t *obj, const char *member)
{
	const char *s = json_string_value(json_object_get(obj, member));

	return s ? s : "";
}

json_t *runtime_new(const char *id, uint16_t type, const char *name)
{
	json_t *c = json_object();
	char short_id[13];

	snprintf(short_id, sizeof(short_id), "%.12s", id);
	json_object_set_new(c, "id", json_string(strlen(id) == 64 ? short_id : id));
	json_object_set_new(c, "full_id", json_string(id));
	json_object_set_new(c, "type", json_integer(type));
	json_object_set_new(c, "name", json_string(*name == '/' ? name + 1 : name));
	json_object_set_new(c, "lookup_state", json_integer(CL_SUCCESSFUL));
	return c;
}

static void set_part(json_t *c, const char *member, const char *p, size_t n)
{
	json_object_set_new(c, member, json_stringn(p, n));
}

void runtime_set_image(json_t *c, const char *reference)
{
	const char *digest = strchr(reference, '@'), *slash, *colon;
	size_t n = digest ? (size_t)(digest - reference) : strlen(reference);

	json_object_set_new(c, "image", json_string(reference));
	if (digest)
		json_object_set_new(c, "imagedigest", json_string(digest + 1));
	slash = memrchr(reference, '/', n);
	colon = memrchr(reference, ':', n);
	if (colon && slash && colon < slash)
		colon = NULL; /* a port of the registry */
	set_part(c, "imagerepo", reference, colon ? (size_t)(colon - reference) : n);
	if (colon)
		set_part(c, "imagetag", colon + 1, n - (size_t)(colon + 1 - reference));
}

int runtime_count_cpus(const char *list)
{
	int n = 0;

	while (*list) {
		char *end;
		long a = strtol(list, &end, 10), b = a;

		if (end == list)
			break;
		if (*end == '-')
			b = strtol(end + 1, &end, 10);
		n += b >= a ? (int)(b - a + 1) : 0;
		list = *end == ',' ? end + 1 : end;
	}
	return n;
}

static json_t *ask(const struct runtime_key *k, const char *root, const char *socket, uint16_t type)
{
	char path[512];

	snprintf(path, sizeof(path), "%s%s", root, socket);
	return runtime_ask_api(path, k->id, type);
}

static json_t *lookup_podman(const struct runtime_key *k, const char *root)
{
	char rootless[64];

	if (k->uid < 0)
		return ask(k, root, "/run/podman/podman.sock", CT_PODMAN);
	snprintf(rootless, sizeof(rootless), "/run/user/%lld/podman/podman.sock",
		 (long long)k->uid);
	return ask(k, root, rootless, CT_PODMAN);
}

bool runtime_pod_uid(const char *path, size_t len, char out[37])
{
	static const char digits[] = "0123456789abcdef-_";
	const char *end = path + len, *p = memmem(path, len, "kubepods", 8);

	while (p && (p = memmem(p, (size_t)(end - p), "pod", 3))) {
		size_t n = 0;

		p += 3;
		while (p + n < end && n < 37 && p[n] && strchr(digits, p[n]))
			n++;
		/* pods from files have a hash in place of the uid */
		if (n != 36 && n != 32)
			continue;
		for (size_t i = 0; i < n; i++)
			out[i] = p[i] == '_' ? '-' : p[i];
		out[n] = 0;
		return true;
	}
	return false;
}

/* The path tells the pod even where the runtime does not. */
static void add_pod(json_t *c, const struct runtime_key *k)
{
	json_t *labels = json_object_get(c, "labels");

	if (!c || !k->pod[0])
		return;
	if (!json_is_object(labels)) {
		labels = json_object();
		json_object_set_new(c, "labels", labels);
	}
	if (!json_object_get(labels, "io.kubernetes.pod.uid"))
		json_object_set_new(labels, "io.kubernetes.pod.uid", json_string(k->pod));
}

static json_t *lookup(const struct runtime_key *k, const char *root)
{
	json_t *c = NULL;

	switch (k->type) {
	case CT_LXC:
	case CT_LIBVIRT_LXC:
		return runtime_new(k->id, k->type, k->id);
	case CT_PODMAN:
		c = lookup_podman(k, root);
		break;
	case CT_DOCKER:
		c = ask(k, root, "/var/run/docker.sock", CT_DOCKER);
		break;
	default:
		break;
	}
	return c ? c : runtime_read_disk(k, root);
}

json_t *runtime_lookup(const struct runtime_key *k, const char *root)
{
	json_t *c = lookup(k, root);

	add_pod(c, k);
	return c;
}
