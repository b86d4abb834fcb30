package images

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// printArguments stands in for the image's interpreter.
const printArguments = "#!/bin/sh\nfor arg; do echo \"<$arg>\"; done\n"

func TestStartNotebook(t *testing.T) {
	cases := map[string]struct {
		reason string
		args   *string
		more   []string
		want   string
	}{
		"as Open Data Hub starts it": {
			reason: "options get the name that Notebook 6 knows, quotes around values go",
			args: new("--ServerApp.port=8888\n    --ServerApp.token=''\n    --ServerApp.password=''\n" +
				"    --ServerApp.base_url=/notebook/ns/name\n    --ServerApp.quit_button=False\n" +
				`    --ServerApp.tornado_settings={"user":"u","hub_host":"https://h"}`),
			want: "<-m> <notebook> <--NotebookApp.port=8888> <--NotebookApp.token=> <--NotebookApp.password=>" +
				" <--NotebookApp.base_url=/notebook/ns/name> <--NotebookApp.quit_button=False>" +
				` <--NotebookApp.tornado_settings={"user":"u","hub_host":"https://h"}>`,
		},
		"no arguments": {
			reason: "the variable need not be set",
			more:   []string{"--allow-root"},
			want:   "<-m> <notebook> <--allow-root>",
		},
		"shell text": {
			reason: "nothing is evaluated or expanded",
			args:   new(`--ServerApp.token=$(id) --x=*  ;reboot "--y"`),
			want:   `<-m> <notebook> <--NotebookApp.token=$(id)> <--x=*> <;reboot> <"--y">`,
		},
		"quoted values": {
			reason: "only quotes around the whole value are dropped",
			args:   new(`--a="b" --c='d' --e=f'g'`),
			want:   `<-m> <notebook> <--a=b> <--c=d> <--e=f'g'>`,
		},
	}
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "bin", "python3"), []byte(printArguments), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command("sh", append([]string{"recipes/jupyter/start-notebook.sh"}, tc.more...)...)
			cmd.Env = []string{"APP_ROOT=" + root, "PATH=" + os.Getenv("PATH")}
			if tc.args != nil {
				cmd.Env = append(cmd.Env, "NOTEBOOK_ARGS="+*tc.args)
			}
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			got := strings.ReplaceAll(strings.TrimSpace(string(out)), "\n", " ")
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}
