package toolbox

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/expr-lang/expr"
	"github.com/itchyny/gojq"
	lua "github.com/yuin/gopher-lua"
)

type exprFunction struct {
	Parameters []string `json:"parameters"`
	Body       string   `json:"body"`
}

type exprParams struct {
	Source    string                  `json:"source"`
	Env       value                   `json:"env"`
	Functions map[string]exprFunction `json:"functions"`
	Undefined bool                    `json:"allow_undefined"`
	Only      bool                    `json:"compile_only"`
}

// runExpr compiles an expression and runs it. Functions of the caller are expressions themselves.
func runExpr(_ *job, asked *exprParams) (any, error) {
	env, _ := asked.Env.any.(map[string]any)
	if env == nil {
		env = map[string]any{}
	}
	functions := []expr.Option{}
	for name, given := range asked.Functions {
		body, err := expr.Compile(given.Body, expr.AllowUndefinedVariables())
		if err != nil {
			return nil, &problem{Code: "bad-expression", Message: name + ": " + err.Error(), Place: name}
		}
		functions = append(functions, expr.Function(name, func(values ...any) (any, error) {
			if len(values) != len(given.Parameters) {
				return nil, fmt.Errorf("%s takes %d values, not %d", name, len(given.Parameters), len(values))
			}
			inside := make(map[string]any, len(values))
			for index, parameter := range given.Parameters {
				inside[parameter] = values[index]
			}
			return expr.Run(body, inside)
		}))
	}
	options := append(functions, expr.Env(env))
	if asked.Undefined {
		options = append(options, expr.AllowUndefinedVariables())
	}
	program, err := expr.Compile(asked.Source, options...)
	if err != nil {
		return nil, &problem{Code: "bad-expression", Message: err.Error()}
	}
	if asked.Only {
		return map[string]any{"value": nil}, nil
	}
	result, err := expr.Run(program, env)
	if err != nil {
		return nil, &problem{Code: "expression-failed", Message: err.Error()}
	}
	return map[string]any{"value": shown(result)}, nil
}

type queryParams struct {
	Query     string           `json:"query"`
	Input     value            `json:"input"`
	Variables map[string]value `json:"variables"`
	Limit     int              `json:"limit"`
}

// runQuery gives all results of a jq program, without the environment and without modules.
func runQuery(one *job, asked *queryParams) (any, error) {
	parsed, err := gojq.Parse(asked.Query)
	if err != nil {
		return nil, &problem{Code: "bad-query", Message: err.Error()}
	}
	names, values := []string{}, []any{}
	for name, given := range asked.Variables {
		names, values = append(names, "$"+name), append(values, given.any)
	}
	program, err := gojq.Compile(parsed, gojq.WithVariables(names))
	if err != nil {
		return nil, &problem{Code: "bad-query", Message: err.Error()}
	}
	limit := time.Duration(one.Deadline) * time.Millisecond
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	results, rest := []any{}, one.Output
	for found := program.RunWithContext(ctx, asked.Input.any, values...); ; {
		result, more := found.Next()
		if !more || (asked.Limit > 0 && len(results) >= asked.Limit) {
			return map[string]any{"values": results}, nil
		}
		if failed, wrong := result.(error); wrong {
			var halted *gojq.HaltError
			if errors.As(failed, &halted) && halted.Value() == nil {
				return map[string]any{"values": results}, nil
			}
			if ctx.Err() != nil {
				return nil, problemf("toolbox-deadline", "jq took longer than %s", limit)
			}
			return nil, &problem{Code: "query-failed", Message: failed.Error()}
		}
		data, err := gojq.Marshal(result)
		if err != nil {
			return nil, problemf("not-json", "%s", err)
		}
		if rest -= len(data); rest < 0 {
			return nil, outputTooLong(one.call)
		}
		results = append(results, rawJSON(data))
	}
}

type luaParams struct {
	Script  string           `json:"script"`
	Name    string           `json:"name"`
	Globals map[string]value `json:"globals"`
	Steps   int              `json:"steps"`
}

const (
	usualSteps = 10_000_000
	deepest    = 100 // of tables inside tables
)

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
func runLua(one *job, asked *luaParams) (any, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true, CallStackSize: 200, RegistryMaxSize: 1 << 20})
	defer state.Close()
	for name, open := range map[string]lua.LGFunction{
		lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable,
		lua.StringLibName: lua.OpenString, lua.MathLibName: lua.OpenMath,
	} {
		state.Push(state.NewFunction(open))
		state.Push(lua.LString(name))
		state.Call(1, 0)
	}
	for _, name := range []string{"dofile", "loadfile", "require", "module", "newproxy", "_printregs"} {
		state.SetGlobal(name, lua.LNil)
	}
	printed := &bounded{rest: min(one.Output, 64<<10)}
	state.SetGlobal("print", state.NewFunction(func(state *lua.LState) int {
		for index := range state.GetTop() {
			_, _ = fmt.Fprint(printed, state.ToStringMeta(state.Get(index+1)), "\t")
		}
		_, _ = fmt.Fprintln(printed)
		return 0
	}))
	for name, given := range asked.Globals {
		state.SetGlobal(name, toLua(state, given.any))
	}
	if asked.Steps <= 0 {
		asked.Steps = usualSteps
	}
	limit := &steps{Context: context.Background(), left: asked.Steps, over: make(chan struct{})}
	state.SetContext(limit)
	main, err := state.Load(strings.NewReader(asked.Script), asked.Name)
	if err != nil {
		return nil, blame("bad-script", err)
	}
	state.Push(main)
	if err := state.PCall(0, lua.MultRet, nil); err != nil {
		if limit.left <= 0 {
			return nil, problemf("script-steps", "the script takes more than %d steps", asked.Steps)
		}
		return nil, blame("script-failed", err)
	}
	results := []any{}
	for index := range state.GetTop() {
		result, err := fromLua(state.Get(index+1), deepest)
		if err != nil {
			return nil, err
		}
		results = append(results, result)
	}
	return map[string]any{"values": results, "printed": printed.text.String()}, nil
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
		table := state.CreateTable(len(found), 0)
		for _, item := range found {
			table.Append(toLua(state, item))
		}
		return table
	case map[string]any:
		table := state.CreateTable(0, len(found))
		for name, item := range found {
			table.RawSetString(name, toLua(state, item))
		}
		return table
	}
	return lua.LNil
}

// fromLua gives a list for a table of 1 to n and for an empty one, else a map of texts.
func fromLua(given lua.LValue, depth int) (any, error) {
	if depth == 0 {
		return nil, problemf("not-json", "the script's result is nested too deep")
	}
	switch found := given.(type) {
	case *lua.LNilType:
		return nil, nil
	case lua.LBool:
		return bool(found), nil
	case lua.LNumber:
		if number := float64(found); number == math.Trunc(number) && math.Abs(number) < 1<<53 {
			return int64(number), nil
		}
		return shown(float64(found)), nil
	case lua.LString:
		return string(found), nil
	case *lua.LTable:
		return fromTable(found, depth-1)
	}
	return nil, problemf("not-json", "the script's result holds a %s", given.Type())
}

func fromTable(table *lua.LTable, depth int) (any, error) {
	list, names := []any{}, map[string]any{}
	var failed error
	table.ForEach(func(key, item lua.LValue) {
		made, err := fromLua(item, depth)
		failed = errors.Join(failed, err)
		if number, whole := key.(lua.LNumber); whole && int(number) == len(list)+1 {
			list = append(list, made)
			return
		}
		names[key.String()] = made
	})
	if failed != nil {
		return nil, failed
	}
	if len(names) == 0 {
		return list, nil
	}
	if len(list) > 0 {
		return nil, problemf("not-json", "the script's result has a table that is list and map at once")
	}
	return names, nil
}
