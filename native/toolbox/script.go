package toolbox

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/itchyny/gojq"
	lua "github.com/yuin/gopher-lua"
	"k8s.io/client-go/util/jsonpath"
)

// A value is data of the caller. Numbers cross as they are: `3` is whole, `3.0` is not; what JSON
// cannot say is {"$float": "NaN"}, {"$float": "+Inf"} or {"$float": "-Inf"}, both ways.
type value struct{ any }

func (v *value) UnmarshalJSON(data []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	err := decoder.Decode(&v.any)
	v.any = deep(v.any, func(leaf any) any {
		if number, is := leaf.(json.Number); is {
			if whole, err := strconv.Atoi(number.String()); err == nil {
				return whole
			}
			leaf, _ = number.Float64()
		}
		if special, is := leaf.(map[string]any); is && len(special) == 1 && special["$float"] != nil {
			leaf, _ = strconv.ParseFloat(fmt.Sprint(special["$float"]), 64)
		}
		return leaf
	})
	return err
}

func (v value) MarshalJSON() ([]byte, error) {
	return encode(deep(v.any, func(leaf any) any {
		number, is := leaf.(float64)
		switch {
		case is && (math.IsNaN(number) || math.IsInf(number, 0)):
			return map[string]any{"$float": strconv.FormatFloat(number, 'g', -1, 64)}
		case is && number == math.Trunc(number) && math.Abs(number) < 1e15:
			return json.RawMessage(strconv.FormatFloat(number, 'f', 1, 64))
		}
		return leaf
	}))
}

// deep changes every part of data, the inner ones first.
func deep(data any, change func(any) any) any {
	switch found := data.(type) {
	case map[string]any:
		made := make(map[string]any, len(found))
		for key, item := range found {
			made[key] = deep(item, change)
		}
		return change(made)
	case []any:
		made := make([]any, len(found))
		for index, item := range found {
			made[index] = deep(item, change)
		}
		return made
	}
	return change(data)
}

type exprParams struct {
	Source    string
	Env       value
	Functions map[string]struct {
		Parameters []string
		Body       string
	}
	AllowUndefined bool
	Only           bool // compile it, do not run it
}

// runExpr compiles an expression and runs it. Functions of the caller are expressions themselves.
func runExpr(_ *call, p *exprParams) any {
	env, _ := p.Env.any.(map[string]any)
	options := []expr.Option{expr.Env(env)}
	if p.AllowUndefined || env == nil {
		options = append(options, expr.AllowUndefinedVariables())
	}
	for name, given := range p.Functions {
		body, err := expr.Compile(given.Body, expr.AllowUndefinedVariables())
		check("bad-expression", err)
		options = append(options, expr.Function(name, func(values ...any) (any, error) {
			if len(values) != len(given.Parameters) {
				return nil, fmt.Errorf("%s takes %d values, not %d", name, len(given.Parameters), len(values))
			}
			inside := map[string]any{}
			for index, parameter := range given.Parameters {
				inside[parameter] = values[index]
			}
			return expr.Run(body, inside)
		}))
	}
	program := got(expr.Compile(p.Source, options...))("bad-expression")
	if p.Only {
		return nil
	}
	return value{got(expr.Run(program, env))("expression-failed")}
}

type queryParams struct {
	Query     string
	Input     value
	Variables map[string]value
	Limit     int
}

// runQuery gives the results of a jq program, without the environment and without modules.
func runQuery(asked *call, p *queryParams) any {
	names, values := []string{}, []any{}
	for name, given := range p.Variables {
		names, values = append(names, "$"+name), append(values, given.any)
	}
	parsed := got(gojq.Parse(p.Query))("bad-query")
	program := got(gojq.Compile(parsed, gojq.WithVariables(names)))("bad-query")
	results, rest := []json.RawMessage{}, asked.Output
	for found := program.Run(p.Input.any, values...); p.Limit <= 0 || len(results) < p.Limit; {
		result, more := found.Next()
		failed, wrong := result.(error)
		var halted *gojq.HaltError
		if !more || (wrong && errors.As(failed, &halted) && halted.Value() == nil) {
			break
		}
		if wrong {
			check("query-failed", failed)
		}
		data := got(gojq.Marshal(result))("not-json")
		if rest -= len(data); rest < 0 {
			tooLong(asked)
		}
		results = append(results, data)
	}
	return results
}

// jsonPath gives everything that a JSONPath finds, as kubectl reads one.
func jsonPath(_ *call, p *queryParams) any {
	path, results := jsonpath.New("path"), []any{}
	check("bad-query", path.Parse(p.Query))
	for _, group := range got(path.FindResults(p.Input.any))("query-failed") {
		for _, found := range group {
			results = append(results, found.Interface())
		}
	}
	return value{results}
}

type luaParams struct {
	Script  string
	Name    string
	Globals map[string]value
	Steps   int
}

// steps is a context that ends after so many instructions: the interpreter asks before each.
type steps struct {
	context.Context
	left int
	over chan struct{}
}

func (s *steps) Done() <-chan struct{} {
	if s.left--; s.left == 0 {
		close(s.over)
	}
	return s.over
}

func (s *steps) Err() error { return errors.New("too many steps") }

// runLua runs a script with the base, table, string and math libraries, and gives what it returns.
func runLua(asked *call, p *luaParams) any {
	state := lua.NewState(lua.Options{SkipOpenLibs: true, RegistryMaxSize: 1 << 20})
	defer state.Close()
	for _, open := range []lua.LGFunction{lua.OpenBase, lua.OpenTable, lua.OpenString, lua.OpenMath} {
		state.Push(state.NewFunction(open))
		state.Call(0, 0)
	}
	for _, name := range []string{"dofile", "loadfile", "require", "module", "newproxy", "_printregs"} {
		state.SetGlobal(name, lua.LNil)
	}
	printed := &bounded{rest: min(asked.Output, 64<<10)}
	state.SetGlobal("print", state.NewFunction(func(state *lua.LState) int {
		for index := range state.GetTop() {
			_, _ = fmt.Fprint(printed, state.ToStringMeta(state.Get(index+1)), "\t")
		}
		_, _ = fmt.Fprintln(printed)
		return 0
	}))
	for name, given := range p.Globals {
		state.SetGlobal(name, toLua(state, given.any))
	}
	limit := &steps{context.Background(), cmp.Or(p.Steps, 10_000_000), make(chan struct{})}
	state.SetContext(limit)
	state.Push(got(state.Load(strings.NewReader(p.Script), p.Name))("bad-script"))
	err := state.PCall(0, lua.MultRet, nil)
	if limit.left <= 0 {
		panic(problemf("script-steps", "the script takes too many steps"))
	}
	check("script-failed", err)
	results := []any{}
	for index := range state.GetTop() {
		results = append(results, fromLua(state.Get(index+1), 100))
	}
	return map[string]any{"values": value{results}, "printed": printed.String()}
}

func toLua(state *lua.LState, given any) lua.LValue {
	switch found := given.(type) {
	case bool:
		return lua.LBool(found)
	case int:
		return lua.LNumber(found)
	case float64:
		return lua.LNumber(found)
	case string:
		return lua.LString(found)
	case []any:
		table := state.NewTable()
		for index, item := range found {
			table.RawSetInt(index+1, toLua(state, item))
		}
		return table
	case map[string]any:
		table := state.NewTable()
		for name, item := range found {
			table.RawSetString(name, toLua(state, item))
		}
		return table
	}
	return lua.LNil
}

// fromLua gives a list for a table of 1 to n and for an empty one, else a map of texts.
func fromLua(given lua.LValue, depth int) any {
	switch found := given.(type) {
	case *lua.LNilType:
		return nil
	case lua.LBool:
		return bool(found)
	case lua.LNumber:
		if whole := int64(found); lua.LNumber(whole) == found {
			return whole
		}
		return float64(found)
	case lua.LString:
		return string(found)
	case *lua.LTable:
		if depth > 0 {
			return fromTable(found, depth-1)
		}
	}
	panic(problemf("not-json", "the script's result holds a %s, or is nested too deep", given.Type()))
}

func fromTable(table *lua.LTable, depth int) any {
	list, names := []any{}, map[string]any{}
	table.ForEach(func(key, item lua.LValue) {
		made := fromLua(item, depth)
		names[key.String()] = made
		if key == lua.LNumber(len(list)+1) {
			list = append(list, made)
		}
	})
	if len(names) == len(list) {
		return list
	}
	return names
}
