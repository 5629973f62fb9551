package toolbox

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"
)

// ask performs a call in this process, as a worker would.
func ask(t *testing.T, method, folder string, params any) (any, *problem) {
	t.Helper()
	data, err := encode(params)
	if err != nil {
		t.Fatal(err)
	}
	nowhere = t.TempDir()
	if statm, err = os.Open("/proc/self/statm"); err != nil {
		t.Fatal(err)
	}
	answer := perform(&call{Method: method, Folder: folder, Params: data,
		Deadline: 1000, Memory: 1 << 40, Output: 1 << 20})
	if answer.Error != nil {
		return nil, answer.Error
	}
	var result any
	if err := json.Unmarshal(answer.Result.(json.RawMessage), &result); err != nil {
		t.Fatal(err)
	}
	return result, nil
}

func TestAnUnknownMethodOrParameterIsAMistake(t *testing.T) {
	if _, told := ask(t, "nothing", "", map[string]any{}); told == nil || told.Code != "no-method" {
		t.Error(told)
	}
	if _, told := ask(t, "expr", "", map[string]any{"sauce": "1"}); told == nil || told.Code != "bad-params" {
		t.Error(told)
	}
}

func TestNumbersKeepTheirKind(t *testing.T) {
	var given value
	if err := json.Unmarshal([]byte(`[1, 1.0, 1.5, {"$float": "NaN"}, {"$float": "-Inf"}]`), &given); err != nil {
		t.Fatal(err)
	}
	list := given.any.([]any)
	if list[0] != 1 || list[1] != 1.0 || !math.IsNaN(list[3].(float64)) || !math.IsInf(list[4].(float64), -1) {
		t.Error(list)
	}
	back, err := encode(given)
	if want := `[1,1.0,1.5,{"$float":"NaN"},{"$float":"-Inf"}]`; err != nil || string(back) != want {
		t.Error(string(back), err)
	}
}

func TestACallSeesItsFolderOnlyAndComesBack(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("it takes root, or a user namespace, to see less")
	}
	outside := t.TempDir()
	inside := filepath.Join(outside, "inside")
	if err := os.Mkdir(inside, 0o700); err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(outside, "secret.libsonnet")
	if err := os.WriteFile(secret, []byte("1"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, filepath.Join(inside, "link.libsonnet")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{secret, "../secret.libsonnet", "link.libsonnet"} {
		_, told := ask(t, "jsonnet", inside, map[string]any{"path": "x", "text": "import '" + name + "'"})
		if told == nil || told.Code != "jsonnet-failed" {
			t.Error(name, told)
		}
	}
	if _, err := os.Stat(secret); err != nil {
		t.Error("the way back is lost:", err)
	}
}

func TestAPanicOfALibraryIsAnAnswer(t *testing.T) {
	methods["panics"] = func(*call) any { panic("deep inside") }
	defer delete(methods, "panics")
	_, told := ask(t, "panics", "", map[string]any{})
	if told == nil || told.Code != "toolbox-crashed" || told.Message != "panics: deep inside" {
		t.Error(told)
	}
}

func TestOutputPastItsLimitIsAnError(t *testing.T) {
	_, told := ask(t, "lua", "", map[string]any{"script": "return string.rep('x', 2000000)"})
	if told == nil || told.Code != "toolbox-output" {
		t.Error(told)
	}
}

func TestAnErrorNamesItsPlace(t *testing.T) {
	for text, place := range map[string]string{
		"web/templates/a.yaml:3:4: executing":         "web/templates/a.yaml:3:4",
		"YAML parse error on a/b.yaml: yaml: line 7:": "a/b.yaml:7",
		"nothing is said":                             "",
	} {
		func() {
			defer func() {
				if told := recover().(*problem); told.Place != place {
					t.Errorf("%q: %q", text, told.Place)
				}
			}()
			check("x", os.NewSyscallError(text, os.ErrInvalid))
		}()
	}
}
