package toolbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig/v3"
	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/paths"
	"github.com/google/go-jsonnet"
	"github.com/sirupsen/logrus"
	"sigs.k8s.io/yaml"
)

type jsonnetParams struct {
	Path         string
	Text         *string // instead of the file at Path; its imports are of the library paths
	ExtVars      map[string]string
	ExtCode      map[string]string
	TLAVars      map[string]string
	TLACode      map[string]string
	LibraryPaths []string
	StringOutput bool
	Stream       bool
}

// evaluateJsonnet gives the documents that a program makes: one, or with stream one for each item.
func evaluateJsonnet(_ *call, p *jsonnetParams) any {
	vm := jsonnet.MakeVM()
	vm.StringOutput = p.StringOutput
	vm.Importer(&jsonnet.FileImporter{JPaths: p.LibraryPaths})
	for _, kind := range []struct {
		values map[string]string
		set    func(string, string)
	}{{p.ExtVars, vm.ExtVar}, {p.ExtCode, vm.ExtCode}, {p.TLAVars, vm.TLAVar}, {p.TLACode, vm.TLACode}} {
		for name, value := range kind.values {
			kind.set(name, value)
		}
	}
	switch {
	case p.Text != nil && p.Stream:
		return got(vm.EvaluateAnonymousSnippetStream(p.Path, *p.Text))("jsonnet-failed")
	case p.Text != nil:
		return []string{got(vm.EvaluateAnonymousSnippet(p.Path, *p.Text))("jsonnet-failed")}
	case p.Stream:
		return got(vm.EvaluateFileStream(p.Path))("jsonnet-failed")
	}
	return []string{got(vm.EvaluateFile(p.Path))("jsonnet-failed")}
}

type templateParams struct {
	Templates  map[string]string
	Data       value
	MissingKey string // default, zero or error
	Left       string
	Right      string
}

// goTemplate renders texts with sprig's functions, without those that look at the machine.
func goTemplate(asked *call, p *templateParams) any {
	functions := sprig.TxtFuncMap()
	for _, name := range []string{"env", "expandenv", "getHostByName"} {
		delete(functions, name)
	}
	functions["toYaml"] = func(given any) (string, error) {
		data, err := yaml.Marshal(given)
		return strings.TrimSuffix(string(data), "\n"), err
	}
	functions["fromYaml"] = func(text string) (made any, err error) {
		return made, yaml.Unmarshal([]byte(text), &made)
	}
	made, rest := map[string]string{}, asked.Output
	for name, text := range p.Templates {
		empty := template.New(name).Option("missingkey="+p.MissingKey).Delims(p.Left, p.Right)
		parsed := got(empty.Funcs(functions).Parse(text))("bad-template")
		out := &bounded{rest: rest}
		err := parsed.Execute(out, p.Data.any)
		if out.rest < 0 {
			tooLong(asked)
		}
		check("template-failed", err)
		made[name], rest = out.String(), out.rest
	}
	return made
}

// bounded takes so much output and no more.
type bounded struct {
	bytes.Buffer
	rest int
}

func (b *bounded) Write(data []byte) (int, error) {
	if b.rest -= len(data); b.rest < 0 {
		return 0, errors.New("more output than allowed")
	}
	return b.Buffer.Write(data)
}

type composeParams struct {
	Files         []string
	Project       string
	Directory     string
	Profiles      []string
	Environment   []string // NAME=VALUE
	Home          string   // what "~" means in it
	EnvFiles      []string
	NoInterpolate bool
}

// composeModel is `docker compose config --format json`, and the warnings that it prints. Paths are
// resolved at the end, where the folder is known by its own name: inside it is "/".
func composeModel(asked *call, p *composeParams) any {
	var warnings bytes.Buffer
	logrus.SetOutput(&warnings)
	logrus.SetFormatter(bare{})
	directory := path.Join("/", p.Directory)
	check("no-file", errors.Join(os.Chdir(directory), os.Setenv("HOME", p.Home)))
	options := got(cli.NewProjectOptions(p.Files, cli.WithWorkingDirectory(directory),
		cli.WithEnv(p.Environment), cli.WithEnvFiles(p.EnvFiles...), cli.WithDotEnv,
		cli.WithDefaultConfigPath, cli.WithProfiles(p.Profiles), cli.WithName(p.Project),
		cli.WithDiscardEnvFile, cli.WithoutUnnecessaryResources, cli.WithResolvedPaths(false), cli.WithInterpolation(!p.NoInterpolate)))("bad-compose")
	project := got(options.LoadProject(context.Background()))("bad-compose")
	var model map[string]any
	check("bad-compose", json.Unmarshal(got(project.MarshalJSON())("bad-compose"), &model))
	check("bad-compose", paths.ResolveRelativePaths(model, path.Join(asked.Folder, directory), nil))
	lines := strings.FieldsFunc(warnings.String(), func(letter rune) bool { return letter == '\n' })
	return map[string]any{"model": model, "warnings": lines}
}

// bare writes what is logged as lines of plain words.
type bare struct{}

func (bare) Format(entry *logrus.Entry) ([]byte, error) { return []byte(entry.Message + "\n"), nil }
