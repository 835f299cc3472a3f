/* What runtimes leave on disk: the OCI bundle (config.json) of every running container, and the
 * database of the container storage that cri-o and podman share. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "live/runtime.h"
#include "state/container.h"

/* Labels that tell about the container itself, by the runtime that sets them. */
struct dialect {
	uint16_t type;
	const char *name, *image, *image_id, *sandbox_id, *sandbox_name, *space, *kind, *labels;
};

static const struct dialect dialects[] = {
	{CT_CONTAINERD, "io.kubernetes.cri.container-name", "io.kubernetes.cri.image-name", NULL,
	 "io.kubernetes.cri.sandbox-id", "io.kubernetes.cri.sandbox-name",
	 "io.kubernetes.cri.sandbox-namespace", "io.kubernetes.cri.container-type", NULL},
	{CT_CRIO, "io.kubernetes.cri-o.ContainerName", "io.kubernetes.cri-o.ImageName",
	 "io.kubernetes.cri-o.ImageRef", "io.kubernetes.cri-o.SandboxID", "io.kubernetes.pod.name",
	 "io.kubernetes.pod.namespace", "io.kubernetes.cri-o.ContainerType",
	 "io.kubernetes.cri-o.Labels"},
	{CT_CONTAINERD, "nerdctl/name", "nerdctl/image", NULL, NULL, NULL, "nerdctl/namespace",
	 NULL, NULL},
};

static const struct dialect *dialect_of(const json_t *notes)
{
	for (size_t i = 0; i < sizeof(dialects) / sizeof(*dialects); i++) {
		const struct dialect *d = &dialects[i];

		if (json_object_get(notes, d->name) ||
		    (d->sandbox_id && json_object_get(notes, d->sandbox_id)))
			return d;
	}
	return NULL;
}

static void set_resources(json_t *c, const json_t *linux_part)
{
	json_t *res = json_object_get(linux_part, "resources"), *cpu = json_object_get(res, "cpu");
	json_int_t shares = json_integer_value(json_object_get(cpu, "shares"));
	json_int_t period = json_integer_value(json_object_get(cpu, "period"));

	json_object_set_new(c, "memory_limit",
			    json_integer(json_integer_value(
				    json_object_get(json_object_get(res, "memory"), "limit"))));
	json_object_set_new(c, "swap_limit",
			    json_integer(json_integer_value(
				    json_object_get(json_object_get(res, "memory"), "swap"))));
	json_object_set_new(c, "cpu_shares", json_integer(shares ? shares : 1024));
	json_object_set_new(c, "cpu_quota",
			    json_integer(json_integer_value(json_object_get(cpu, "quota"))));
	json_object_set_new(c, "cpu_period", json_integer(period ? period : 100000));
	json_object_set_new(c, "cpuset_cpu_count",
			    json_integer(runtime_count_cpus(runtime_text(cpu, "cpus"))));
}

static bool has_option(const json_t *options, const char *want)
{
	for (size_t i = 0; i < json_array_size(options); i++) {
		const char *s = json_string_value(json_array_get(options, i));

		if (s && !strcmp(s, want))
			return true;
	}
	return false;
}

static const char *propagation(const json_t *options)
{
	static const char *const kinds[] = {"rprivate", "private", "rshared",
					    "shared",	"rslave",  "slave"};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (has_option(options, kinds[i]))
			return kinds[i];
	return "";
}

/* Bind mounts only: the others are the runtime's own. */
static void set_mounts(json_t *c, const json_t *mounts)
{
	json_t *out = json_array(), *m;
	size_t i;

	json_array_foreach((json_t *)mounts, i, m)
	{
		json_t *options = json_object_get(m, "options"), *one;

		if (strcmp(runtime_text(m, "type"), "bind"))
			continue;
		one = json_object();
		json_object_set(one, "Source", json_object_get(m, "source"));
		json_object_set(one, "Destination", json_object_get(m, "destination"));
		json_object_set_new(one, "Mode", json_string(""));
		json_object_set_new(one, "RW", json_boolean(!has_option(options, "ro")));
		json_object_set_new(one, "Propagation", json_string(propagation(options)));
		json_array_append_new(out, one);
	}
	json_object_set_new(c, "Mounts", out);
}

/* All capabilities and every device: what "privileged" amounts to in a bundle. */
static bool is_privileged(const json_t *spec)
{
	json_t *caps = json_object_get(
		json_object_get(json_object_get(spec, "process"), "capabilities"), "bounding");

	return json_array_size(caps) >= 38;
}

/* Labels: the annotations, and for cri-o those it keeps as JSON text inside of one. Kubernetes' own
 * names are added, so that the pod is found whoever made the container. */
static void set_labels(json_t *c, const json_t *notes, const struct dialect *d)
{
	json_t *labels = json_deep_copy(notes), *more = NULL;

	if (!labels)
		return;
	if (d->labels)
		more = json_loads(runtime_text(notes, d->labels), 0, NULL);
	if (json_is_object(more))
		json_object_update(labels, more);
	json_decref(more);
	if (d->sandbox_name && *runtime_text(notes, d->sandbox_name))
		json_object_set(labels, "io.kubernetes.pod.name",
				json_object_get(notes, d->sandbox_name));
	if (d->space && *runtime_text(notes, d->space))
		json_object_set(labels, "io.kubernetes.pod.namespace",
				json_object_get(notes, d->space));
	if (*runtime_text(notes, d->name))
		json_object_set(labels, "io.kubernetes.container.name",
				json_object_get(notes, d->name));
	json_object_set_new(c, "labels", labels);
}

static json_t *from_bundle(const char *path, const struct runtime_key *k)
{
	json_t *spec = json_load_file(path, 0, NULL), *notes = json_object_get(spec, "annotations"),
	       *c;
	const struct dialect *d = dialect_of(notes);
	bool sandbox;

	if (!spec || !d) {
		json_decref(spec);
		return NULL;
	}
	sandbox = d->kind && !strcmp(runtime_text(notes, d->kind), "sandbox");
	c = runtime_new(k->id, d->type,
			sandbox ? runtime_text(notes, d->sandbox_name)
				: runtime_text(notes, d->name));
	runtime_set_image(c, runtime_text(notes, d->image));
	if (d->image_id)
		json_object_set_new(c, "imageid",
				    json_stringn(runtime_text(notes, d->image_id),
						 strnlen(runtime_text(notes, d->image_id), 12)));
	if (d->sandbox_id)
		json_object_set(c, "pod_sandbox_id", json_object_get(notes, d->sandbox_id));
	json_object_set_new(c, "is_pod_sandbox", json_boolean(sandbox));
	json_object_set_new(c, "privileged", json_boolean(is_privileged(spec)));
	json_object_set(c, "env", json_object_get(json_object_get(spec, "process"), "env"));
	set_resources(c, json_object_get(spec, "linux"));
	set_mounts(c, json_object_get(spec, "mounts"));
	set_labels(c, notes, d);
	json_decref(spec);
	return c;
}

/* /run/containerd/io.containerd.runtime.v2.task/NAMESPACE/ID/config.json */
static json_t *containerd(const struct runtime_key *k, const char *root)
{
	char path[1024];
	struct dirent *de;
	json_t *c = NULL;
	DIR *d;

	snprintf(path, sizeof(path), "%s/run/containerd/io.containerd.runtime.v2.task", root);
	d = opendir(path);
	while (d && !c && (de = readdir(d))) {
		if (de->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path),
			 "%s/run/containerd/io.containerd.runtime.v2.task/%.100s/%s/config.json",
			 root, de->d_name, k->id);
		c = from_bundle(path, k);
	}
	if (d)
		closedir(d);
	return c;
}

/* The storage's list: [{"id", "names": [...], "image", "metadata": "{\"image-name\": ...}"}] */
static json_t *from_list(const char *path, const struct runtime_key *k)
{
	json_t *list = json_load_file(path, 0, NULL), *one, *c = NULL;
	size_t i;

	json_array_foreach(list, i, one)
	{
		json_t *meta;
		const char *image = runtime_text(one, "image");

		if (strcmp(runtime_text(one, "id"), k->id))
			continue;
		meta = json_loads(runtime_text(one, "metadata"), 0, NULL);
		c = runtime_new(k->id, k->type == CT_PODMAN ? CT_PODMAN : CT_CRIO,
				json_array_size(json_object_get(one, "names"))
					? json_string_value(
						  json_array_get(json_object_get(one, "names"), 0))
					: runtime_text(meta, "name"));
		runtime_set_image(c, runtime_text(meta, "image-name"));
		json_object_set_new(c, "imageid", json_stringn(image, strnlen(image, 12)));
		json_decref(meta);
		break;
	}
	json_decref(list);
	return c;
}

static json_t *storage(const struct runtime_key *k, const char *root)
{
	static const char *const kinds[] = {"overlay-containers", "vfs-containers"};
	char path[1024];
	json_t *c = NULL;

	for (size_t i = 0; i < 2 && !c; i++) {
		snprintf(path, sizeof(path),
			 "%s/var/lib/containers/storage/%s/%s/userdata/config.json", root, kinds[i],
			 k->id);
		c = from_bundle(path, k);
		snprintf(path, sizeof(path), "%s/var/lib/containers/storage/%s/containers.json",
			 root, kinds[i]);
		c = c ? c : from_list(path, k);
		/* of containers that go when the machine does */
		snprintf(path, sizeof(path),
			 "%s/var/lib/containers/storage/%s/volatile-containers.json", root,
			 kinds[i]);
		c = c ? c : from_list(path, k);
	}
	return c;
}

json_t *runtime_read_disk(const struct runtime_key *k, const char *root)
{
	json_t *c = k->type == CT_PODMAN ? NULL : containerd(k, root);

	return c ? c : storage(k, root);
}
