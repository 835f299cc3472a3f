/* Container records and the ids in cgroups. What 0.29.3 makes of the same cgroups was tried on it.
 */
#include "state/container.h"
#include "state/state_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OTHER "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
enum { NONE = -1, SAME = -2 };

static const struct {
	const char *cgroups, *id;
	int type, type_029;
	const char *id_029; /* NULL = the same */
} matches[] = {
	{"cpu=/", "", NONE, NONE, NULL},
	{"cpu=/docker/" ID, "0123456789ab", CT_DOCKER, SAME, NULL},
	{"cpu=/system.slice/docker-" ID ".scope", "0123456789ab", CT_DOCKER, SAME, NULL},
	{"cpu=/kubepods/burstable/podabc/" ID, "0123456789ab", CT_DOCKER, SAME, NULL},
	{"cpu=/kubepods.slice/cri-containerd-" ID ".scope", "0123456789ab", CT_CRI, SAME, NULL},
	{"cpu=/x/crio-" ID, "0123456789ab", CT_CRI, SAME, NULL},
	{"cpu=/x/crio-" ID ".scope", "0123456789ab", CT_CRI, SAME, NULL},
	{"cpu=/system.slice:cri-containerd:" ID, "0123456789ab", CT_CRI, SAME, NULL},
	{"cpu=/x/crio-conmon-" ID ".scope", "", NONE, NONE, NULL},
	{"cpu=/lxc/foo", "foo", CT_LXC, SAME, NULL},
	{"cpu=/lxc/foo/bar", "foo", CT_LXC, SAME, NULL},
	{"cpu=/lxc.payload/foo", "foo", CT_LXC, SAME, NULL},
	{"cpu=/lxc/", "", NONE, NONE, NULL},
	{"cpu=/machine/x.libvirt-lxc", "x", CT_LIBVIRT_LXC, SAME, NULL},
	{"cpu=/machine.slice/machine-lxc\\x2dfoo.scope", "foo", CT_LIBVIRT_LXC, SAME, NULL},
	{"cpu=/machine.slice/libpod-" ID ".scope", "0123456789ab", CT_PODMAN, SAME, NULL},
	{"cpu=/machine.slice/libpod-" ID ".scope/container", "0123456789ab", CT_PODMAN, SAME, NULL},
	{"cpu=/libpod_parent/libpod-" ID, "0123456789ab", CT_PODMAN, NONE, ""},
	{"cpu=/user.slice/user-1000.slice/podman-123.scope/" ID, "0123456789ab", CT_PODMAN,
	 CT_DOCKER, NULL},
	{"cpu=/docker/" ID "0", "", NONE, NONE, NULL},
	{"cpu=/docker/" ID "/x", "", NONE, NONE, NULL},
	{"cpu=docker-" ID ".scope", "", NONE, NONE, NULL},
	{"/" ID, "", NONE, NONE, NULL},
	{"cpuset=/docker/" ID "^cpu=/docker/" OTHER, "0123456789ab", CT_DOCKER, SAME, NULL},
	{"cpu=/a^memory=/docker/" OTHER "^", "fedcba987654", CT_DOCKER, SAME, NULL},
	{"cpu=/lxc/foo^memory=/docker/" ID, "0123456789ab", CT_DOCKER, SAME, NULL},
	{"name=systemd:/docker/" ID, "0123456789ab", CT_DOCKER, SAME, NULL},
	{"cpu=/machine.slice/machine-web.scope", "web", CT_NSPAWN, NONE, ""},
	{"cpu=/machine.slice/machine-my\\x2dweb.scope", "my-web", CT_NSPAWN, NONE, ""},
	{"cpu=/machine.slice/systemd-nspawn@web.service", "web", CT_NSPAWN, NONE, ""},
	{"cpu=/machine.slice/machine-web.scope/payload", "web", CT_NSPAWN, NONE, ""},
	{"unified=/machine.slice/systemd-nspawn@web.service/payload", "web", CT_NSPAWN, NONE, ""},
	{"unified=/system.slice/docker-" ID ".scope", "0123456789ab", CT_DOCKER, SAME, NULL},
	{"unified=/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod0123.slice/cri-containerd-" ID ".scope",
	 "0123456789ab", CT_CRI, SAME, NULL},
	{"unified=/kubepods.slice/kubepods-pod0123.slice/crio-" ID ".scope", "0123456789ab", CT_CRI, SAME, NULL},
	{"unified=/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID ".scope/container", "0123456789ab",
	 CT_PODMAN, SAME, NULL},
	{"unified=/lxc.payload.foo/init.scope", "foo", CT_LXC, NONE, ""},
	{"cpu=/machine.slice/machine-qemu\\x2d1\\x2dvm.scope", "", NONE, NONE, NULL},
	{"cpu=/user.slice/user-1000.slice/session-1.scope", "", NONE, NONE, NULL},
};

/* '^' stands for the NUL between two cgroups. */
static size_t cgroups_get(char *out, const char *s)
{
	size_t n = strlen(s);

	for (size_t i = 0; i < n; i++)
		out[i] = s[i] == '^' ? 0 : s[i];
	return n;
}

static void test_match(void **ctx)
{
	char id[128];

	for (size_t i = 0; i < ARRAY_SIZE(matches); i++) {
		char cg[512];
		size_t n = cgroups_get(cg, matches[i].cgroups);
		struct container_match m;

		print_message("%s\n", matches[i].cgroups);
		assert_int_equal(container_match(&m, cg, n, false), matches[i].type != NONE);
		if (matches[i].type != NONE)
			assert_int_equal(m.type, matches[i].type);
		assert_int_equal(container_id_of(cg, n, id, false), strlen(matches[i].id));
		assert_string_equal(id, matches[i].id);
		int t029 = matches[i].type_029 == SAME ? matches[i].type : matches[i].type_029;
		assert_int_equal(container_match(&m, cg, n, true), t029 != NONE);
		if (t029 != NONE)
			assert_int_equal(m.type, t029);
		container_id_of(cg, n, id, true);
		assert_string_equal(id, matches[i].id_029 ? matches[i].id_029 : matches[i].id);
	}
}

static const char full[] =
	"{\"container\":{\"id\":\"0123456789ab\",\"full_id\":\"" ID
	"\",\"type\":7,\"name\":\"web\","
	"\"image\":\"repo/img:1.2\",\"imageid\":\"aabbccddeeff\",\"imagerepo\":\"repo/"
	"img\",\"imagetag\":\"1.2\","
	"\"imagedigest\":\"sha256:dd\",\"privileged\":true,\"is_pod_sandbox\":false,\"lookup_"
	"state\":1,"
	"\"created_time\":1700000000,\"Mounts\":[{\"Source\":\"/s\",\"Destination\":\"/"
	"d\",\"Mode\":\"rw\","
	"\"RW\":false,\"Propagation\":\"rprivate\"},{\"Source\":\"/"
	"s2\"}],\"User\":\"web\",\"ip\":\"172.17.0.2\","
	"\"port_mappings\":[{\"HostIp\":2130706433,\"HostPort\":80,\"ContainerPort\":8080}],"
	"\"labels\":{\"z\":\"1\",\"io.kubernetes.pod.name\":\"pod1\"},\"env\":[\"A=1\",\"B=2\"],"
	"\"memory_limit\":5000000000,\"cpu_shares\":2,\"mesos_task_id\":\"m\","
	"\"Healthcheck\":{\"exe\":\"/hc\",\"args\":[\"a\",\"b c\"]}}}";

static void test_record(void **ctx)
{
	struct container *c = NULL;
	struct err e;

	assert_int_equal(container_parse(&c, full, sizeof(full) - 1, &e), 0);
	assert_string_equal(c->id, "0123456789ab");
	assert_string_equal(c->full_id, ID);
	assert_int_equal(c->type, CT_CONTAINERD);
	assert_string_equal(c->imagetag, "1.2");
	assert_true(c->privileged);
	assert_int_equal(c->lookup_state, CL_SUCCESSFUL);
	assert_int_equal(c->created_s, 1700000000);
	assert_int_equal(c->nmounts, 2);
	assert_false(c->mounts[0].rdwr);
	assert_true(c->mounts[1].rdwr);
	assert_string_equal(c->mounts[1].dest, "");
	assert_int_equal(c->ports[0].host_ip, 0x7f000001);
	assert_int_equal(c->ports[0].container_port, 8080);
	assert_string_equal(container_label(c, "io.kubernetes.pod.name", 22), "pod1");
	assert_null(container_label(c, "io", 2));
	assert_string_equal(c->labels[1].key, "z");
	assert_string_equal(c->env[1], "B=2");
	assert_int_equal(c->memory_limit, 5000000000);
	assert_int_equal(c->cpu_shares, 2);
	assert_int_equal(c->cpu_period, 100000);
	assert_string_equal(c->healthcheck.exe, "/hc");
	assert_string_equal(c->healthcheck.args[1], "b c");
	assert_null(c->liveness.exe);
	container_free(c);
}

static const struct {
	const char *json;
	int rc;
	const char *id, *name;
} odd[] = {
	{"{\"container\":{\"id\":\"a\"}}", 0, "a", ""},
	{"{\"container\":{\"id\":\"a\",\"name\":5,\"type\":\"x\",\"image\":null}}", 0, "a", "5"},
	{"{\"container\":{\"id\":\"a\",\"name\":true}}", 0, "a", "true"},
	{"{\"container\":{\"id\":\"a\",\"name\":{\"b\":1}}}", 0, "a", ""},
	{"{\"container\":{\"id\":\"a\",\"name\":\"n\",\"Mounts\":5,\"labels\":[1],\"env\":\"A\"}}",
	 0, "a", "n"},
	{"{\"container\":{\"id\":\"a\",\"name\":\"n\",\"Mounts\":[5],\"port_mappings\":[[]]}}", 0,
	 "a", "n"},
	{"{\"container\":{\"id\":\"a\",\"name\":\"x\xffy\xc3\xa9\xed\xa0\x80\"}}", 0, "a",
	 "x?y\xc3\xa9???"},
	{"{\"container\":{\"id\":\"a\",\"name\":\"n\"}} behind", 0, "a", "n"},
	{"{\"container\":[]}", 0, "", ""},
	{"{}", 0, "", ""},
	{"", ERR_FORMAT, NULL, NULL},
	{"[]", ERR_FORMAT, NULL, NULL},
	{"{\"container\":{\"id\":\"a\",}}", ERR_FORMAT, NULL, NULL},
	{"{\"container\":{\"id\":\"a\"", ERR_FORMAT, NULL, NULL},
};

static void test_odd_records(void **ctx)
{
	for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
		struct container *c = NULL;
		struct err e = {.code = 0};

		print_message("%s\n", odd[i].json);
		assert_int_equal(container_parse(&c, odd[i].json, strlen(odd[i].json), &e),
				 odd[i].rc);
		if (odd[i].rc) {
			assert_null(c);
			assert_int_equal(e.code, odd[i].rc);
			assert_non_null(strstr(e.msg, "container record"));
			continue;
		}
		assert_string_equal(c->id, odd[i].id);
		assert_string_equal(c->name, odd[i].name);
		container_free(c);
	}
}

/* Every prefix of a record, and nesting without end: an error, never more. */
static void test_hostile_records(void **ctx)
{
	enum { DEEP = 100000 };
	char *deep = malloc(DEEP);
	struct container *c = NULL;
	struct err e;

	for (size_t n = 0; n + 1 < sizeof(full); n++) {
		int rc = container_parse(&c, full, n, &e);
		assert_true(rc == ERR_FORMAT || n == sizeof(full) - 1);
	}
	memset(deep, '[', DEEP);
	memcpy(deep, "{\"a\":", 5);
	assert_int_equal(container_parse(&c, deep, DEEP, &e), ERR_FORMAT);
	free(deep);
}

static void test_type_names(void **ctx)
{
	assert_string_equal(container_type_name(CT_CRIO, false), "cri-o");
	assert_string_equal(container_type_name(CT_PODMAN, false), "podman");
	assert_string_equal(container_type_name(CT_PODMAN, true), "");
	assert_string_equal(container_type_name(CT_NSPAWN, false), "systemd-nspawn");
	assert_null(container_type_name(CT_UNKNOWN, false));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_match),	    cmocka_unit_test(test_record),
		cmocka_unit_test(test_odd_records), cmocka_unit_test(test_hostile_records),
		cmocka_unit_test(test_type_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
