package toolbox

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// Numbers cross the border as they are: `3` is a whole one, `3.0` is not. What JSON cannot say is
// {"$float": "NaN"}, {"$float": "+Inf"} and {"$float": "-Inf"}.
const floatKey = "$float"

// A value is data of the caller, its numbers kept apart.
type value struct{ any }

func (v *value) UnmarshalJSON(data []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var raw any
	err := decoder.Decode(&raw)
	v.any = plain(raw)
	return err
}

// plain turns numbers into int or float64, all through a value.
func plain(raw any) any {
	switch found := raw.(type) {
	case json.Number:
		if whole, err := strconv.Atoi(found.String()); err == nil {
			return whole
		}
		number, _ := found.Float64()
		return number
	case map[string]any:
		if text, special := found[floatKey].(string); special && len(found) == 1 {
			number, _ := strconv.ParseFloat(text, 64)
			return number
		}
		for key, item := range found {
			found[key] = plain(item)
		}
	case []any:
		for index, item := range found {
			found[index] = plain(item)
		}
	}
	return raw
}

// shown is the way back: numbers that JSON cannot say are wrapped.
func shown(raw any) any {
	switch found := raw.(type) {
	case float64:
		if math.IsNaN(found) || math.IsInf(found, 0) {
			return map[string]any{floatKey: strconv.FormatFloat(found, 'g', -1, 64)}
		}
		if found == math.Trunc(found) && math.Abs(found) < 1e15 {
			return json.RawMessage(strconv.FormatFloat(found, 'f', 1, 64))
		}
	case map[string]any:
		made := make(map[string]any, len(found))
		for key, item := range found {
			made[key] = shown(item)
		}
		return made
	case []any:
		made := make([]any, len(found))
		for index, item := range found {
			made[index] = shown(item)
		}
		return made
	}
	return raw
}

func rawJSON(data []byte) json.RawMessage { return data }

func lines(data []byte) []string {
	found := strings.FieldsFunc(string(data), func(r rune) bool { return r == '\n' })
	return append([]string{}, found...)
}
