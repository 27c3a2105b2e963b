package httpapi

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/hashicorp/nomad/api"
)

// refuseNulls refuses a job with a null where a block is expected in a list:
// everything after this takes every block for granted.
func refuseNulls(job *api.Job) error {
	if path := nullElement(reflect.ValueOf(job)); path != "" {
		return badRequest("Job%s must not be null", strings.TrimSpace(path))
	}
	return nil
}

// nullElement gives the path of the first null in a list or map of blocks, or
// nothing.
func nullElement(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			return nullElement(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if path := nullElement(v.Field(i)); path != "" {
				return "." + v.Type().Field(i).Name + path
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			if path := nullIn(v.Index(i)); path != "" {
				return fmt.Sprintf("[%d]%s", i, path)
			}
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			if path := nullIn(v.MapIndex(key)); path != "" {
				return fmt.Sprintf("[%v]%s", key, path)
			}
		}
	}
	return ""
}

func nullIn(v reflect.Value) string {
	if v.Kind() == reflect.Pointer && v.IsNil() {
		return " "
	}
	return nullElement(v)
}
