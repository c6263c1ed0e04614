package table

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

// jsonDepthMax bounds how deep the values of a row may be nested: the parser
// recurses.
const jsonDepthMax = 1000

var (
	errNotJSON = errors.New("is not JSON")
	errTooDeep = fmt.Errorf("is nested deeper than %d", jsonDepthMax)
)

// parseJSON checks a JSON value and takes the columns out of it; nil: all. A
// string stands for an object with TextColumn, a list for one with ListColumn.
func parseJSON(data []byte, columns []string) (Row, error) {
	if err := validJSON(data); err != nil {
		return nil, err
	}
	value := gjson.ParseBytes(data)
	switch {
	case value.Type == gjson.String:
		return Row{TextColumn: value.String()}, nil
	case value.IsArray():
		return Row{ListColumn: jsonValue(value)}, nil
	case !value.IsObject():
		return nil, fmt.Errorf("is %s, not an object, a list or a string", Clip(value.Raw))
	}
	row := Row{}
	value.ForEach(func(key, value gjson.Result) bool {
		name := key.String()
		if columns == nil || slices.Contains(columns, name) {
			row[name] = jsonValue(value)
		}
		return true
	})
	return row, nil
}

// ListColumn is the column of rows that are lists, as some files of
// conversations have them.
const ListColumn = "list"

func validJSON(data []byte) error {
	if !utf8.Valid(data) {
		return errNotUTF8
	}
	if tooDeep(data) {
		return errTooDeep
	}
	if !gjson.ValidBytes(data) {
		// The slow parser knows where and why.
		var syntax *json.SyntaxError
		var value json.RawMessage
		if err := json.Unmarshal(data, &value); errors.As(err, &syntax) {
			return fmt.Errorf("%w: character %d: %s", errNotJSON, syntax.Offset, syntax.Error())
		}
		return errNotJSON
	}
	return nil
}

// tooDeep counts brackets outside strings, where there are enough to matter.
func tooDeep(data []byte) bool {
	if bytes.Count(data, []byte("["))+bytes.Count(data, []byte("{")) <= jsonDepthMax {
		return false
	}
	depth, quoted := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			if depth++; depth > jsonDepthMax {
				return true
			}
		case c == ']' || c == '}':
			depth--
		}
	}
	return false
}

// jsonValue turns a checked value into one of a Row.
func jsonValue(v gjson.Result) any {
	switch v.Type {
	case gjson.String:
		return v.String()
	case gjson.Number:
		return json.Number(v.Raw)
	case gjson.True:
		return true
	case gjson.False:
		return false
	case gjson.Null:
		return nil
	}
	if v.IsArray() {
		list := []any{}
		v.ForEach(func(_, item gjson.Result) bool {
			list = append(list, jsonValue(item))
			return true
		})
		return list
	}
	object := map[string]any{}
	v.ForEach(func(key, item gjson.Result) bool {
		object[key.String()] = jsonValue(item)
		return true
	})
	return object
}

// jsonColumns adds the columns of a row to those of others.
func jsonColumns(columns []string, data []byte) []string {
	if validJSON(data) != nil {
		return columns
	}
	add := func(name string) {
		if !slices.Contains(columns, name) {
			columns = append(columns, name)
		}
	}
	switch value := gjson.ParseBytes(data); {
	case value.Type == gjson.String:
		add(TextColumn)
	case value.IsArray():
		add(ListColumn)
	case value.IsObject():
		value.ForEach(func(key, _ gjson.Result) bool { add(key.String()); return true })
	}
	return columns
}

// jsonTable reads the rows of JSON lines and of JSON arrays.
type jsonTable struct {
	*file
	columns []string
	at      spans
}

func (t *jsonTable) Len() int { return t.at.n }

func (t *jsonTable) Place(i int) string { return t.place(t.at.at(i)) }

func (t *jsonTable) Row(i int) (Row, error) {
	data, err := t.piece(t.at.at(i))
	if err != nil {
		return nil, err
	}
	row, err := parseJSON(data, t.columns)
	if err != nil {
		return nil, &BadRow{File: t.name, Line: i + 1, Unit: "row", Why: err}
	}
	return row, nil
}
