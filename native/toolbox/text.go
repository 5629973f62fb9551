package toolbox

import (
	"bytes"
	"context"
	"errors"
	"path"
	"text/template"

	"github.com/Masterminds/sprig/v3"
	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/google/go-jsonnet"
	"github.com/sirupsen/logrus"
	"sigs.k8s.io/yaml"
)

type jsonnetParams struct {
	Path    string            `json:"path"`
	Text    *string           `json:"text"`
	ExtVar  map[string]string `json:"ext_vars"`
	ExtCode map[string]string `json:"ext_code"`
	TLAVar  map[string]string `json:"tla_vars"`
	TLACode map[string]string `json:"tla_code"`
	Library []string          `json:"library_paths"`
	Files   map[string]string `json:"files"`
	String  bool              `json:"string_output"`
	Stream  bool              `json:"stream"`
}

// evaluateJsonnet gives the documents that a program makes: one, or with stream one for each item.
func evaluateJsonnet(one *job, asked *jsonnetParams) (any, error) {
	vm := jsonnet.MakeVM()
	vm.StringOutput = asked.String
	vm.Importer(&importer{in: one.folder, asked: asked, seen: map[string]jsonnet.Contents{}})
	for set, values := range map[*map[string]string]func(string, string){
		&asked.ExtVar: vm.ExtVar, &asked.ExtCode: vm.ExtCode, &asked.TLAVar: vm.TLAVar, &asked.TLACode: vm.TLACode,
	} {
		for name, value := range *set {
			values(name, value)
		}
	}
	text := asked.Text
	if text == nil {
		data, err := one.folder.read(asked.Path)
		if err != nil {
			return nil, err
		}
		content := string(data)
		text = &content
	}
	if asked.Stream {
		documents, err := vm.EvaluateAnonymousSnippetStream(asked.Path, *text)
		return map[string]any{"documents": documents}, blame("jsonnet", err)
	}
	made, err := vm.EvaluateAnonymousSnippet(asked.Path, *text)
	return map[string]any{"documents": []string{made}}, blame("jsonnet", err)
}

// An importer finds files given with the call, then those of the folder: beside the file that
// imports, then in the library paths from the last to the first, as jsonnet's own does.
type importer struct {
	in    *folder
	asked *jsonnetParams
	seen  map[string]jsonnet.Contents
}

func (i *importer) Import(from, name string) (jsonnet.Contents, string, error) {
	places := []string{path.Join(path.Dir(from), name)}
	for index := len(i.asked.Library) - 1; index >= 0; index-- {
		places = append(places, path.Join(i.asked.Library[index], name))
	}
	if path.IsAbs(name) {
		places = []string{name}
	}
	for _, place := range places {
		if found, known := i.seen[place]; known {
			return found, place, nil
		}
		if text, given := i.asked.Files[place]; given {
			i.seen[place] = jsonnet.MakeContents(text)
			return i.seen[place], place, nil
		}
		if i.in == nil {
			continue
		}
		data, err := i.in.read(place)
		if err == nil {
			i.seen[place] = jsonnet.MakeContentsRaw(data)
			return i.seen[place], place, nil
		}
		var told *problem
		if errors.As(err, &told) && told.Code == "outside-folder" {
			return jsonnet.Contents{}, "", errors.New(told.Message + ": path escapes from parent")
		}
	}
	return jsonnet.Contents{}, "", errors.New("there is no file to import: " + places[0])
}

type templateParams struct {
	Templates map[string]string `json:"templates"`
	Data      value             `json:"data"`
	Missing   string            `json:"missing_key"`
	Left      string            `json:"left"`
	Right     string            `json:"right"`
}

// goTemplate renders texts with sprig's functions, without those that look at the machine.
func goTemplate(one *job, asked *templateParams) (any, error) {
	functions := sprig.TxtFuncMap()
	for _, name := range []string{"env", "expandenv", "getHostByName"} {
		delete(functions, name)
	}
	functions["toYaml"] = func(value any) (string, error) {
		data, err := yaml.Marshal(value)
		return string(bytes.TrimSuffix(data, []byte("\n"))), err
	}
	functions["fromYaml"] = func(text string) (value any, err error) {
		return value, yaml.Unmarshal([]byte(text), &value)
	}
	if asked.Missing == "" {
		asked.Missing = "default"
	}
	if asked.Missing != "default" && asked.Missing != "zero" && asked.Missing != "error" {
		return nil, problemf("bad-params", "missing_key %q: default, zero or error", asked.Missing)
	}
	data, made, rest := asked.Data.any, map[string]string{}, one.Output
	for name, text := range asked.Templates {
		parsed, err := template.New(name).Option("missingkey="+asked.Missing).
			Delims(asked.Left, asked.Right).Funcs(functions).Parse(text)
		out := &bounded{rest: rest}
		if err == nil {
			err = parsed.Execute(out, data)
		}
		if out.over {
			return nil, outputTooLong(one.call)
		}
		if err != nil {
			return nil, blame("bad-template", err)
		}
		made[name], rest = out.text.String(), out.rest
	}
	return made, nil
}

// bounded takes so much output and no more.
type bounded struct {
	text bytes.Buffer
	rest int
	over bool
}

func (b *bounded) Write(data []byte) (int, error) {
	if b.rest -= len(data); b.rest < 0 {
		b.over = true
		return 0, errors.New("more output than allowed")
	}
	return b.text.Write(data)
}

type composeParams struct {
	Files       []string          `json:"files"`
	Project     string            `json:"project"`
	Directory   string            `json:"directory"`
	Profiles    []string          `json:"profiles"`
	Environment map[string]string `json:"environment"`
	EnvFiles    []string          `json:"env_files"`
	NoInterpret bool              `json:"no_interpolate"`
}

// composeModel is `docker compose config --format json`, with the warnings beside it. It runs in a
// jail: the library opens files by path.
func composeModel(one *job, asked *composeParams) (any, error) {
	if one.folder == nil {
		return nil, problemf("bad-params", "compose needs a folder")
	}
	for _, list := range [][]string{asked.Files, asked.EnvFiles, {path.Join(".", asked.Directory)}} {
		for index, name := range list {
			inside, err := one.folder.name(name)
			if err != nil {
				return nil, err
			}
			list[index] = path.Join(one.folder.path, inside)
		}
	}
	var warnings bytes.Buffer
	logrus.SetOutput(&warnings)
	logrus.SetFormatter(&logrus.TextFormatter{DisableTimestamp: true, DisableColors: true})
	environment := make([]string, 0, len(asked.Environment))
	for name, value := range asked.Environment {
		environment = append(environment, name+"="+value)
	}
	options, err := cli.NewProjectOptions(asked.Files, cli.WithWorkingDirectory(path.Join(one.folder.path, asked.Directory)),
		cli.WithEnv(environment), cli.WithEnvFiles(asked.EnvFiles...), cli.WithDotEnv,
		cli.WithDefaultConfigPath, cli.WithProfiles(asked.Profiles), cli.WithName(asked.Project),
		cli.WithInterpolation(!asked.NoInterpret))
	if err != nil {
		return nil, blame("bad-compose", err)
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		return nil, blame("bad-compose", err)
	}
	model, err := project.MarshalJSON()
	if err != nil {
		return nil, blame("bad-compose", err)
	}
	return map[string]any{"model": rawJSON(model), "warnings": lines(warnings.Bytes())}, nil
}
