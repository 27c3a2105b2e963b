package jobspec

import (
	"crypto/fips140"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/hashicorp/go-cty-funcs/cidr"
	"github.com/hashicorp/go-cty-funcs/crypto"
	"github.com/hashicorp/go-cty-funcs/encoding"
	"github.com/hashicorp/go-cty-funcs/filesystem"
	"github.com/hashicorp/go-cty-funcs/uuid"
	"github.com/hashicorp/hcl/v2/ext/tryfunc"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	ctyyaml "github.com/zclconf/go-cty-yaml"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// functions are those that expressions may call, the file family starting at baseDir.
func (p *parser) functions(baseDir string, noFiles bool) map[string]function.Function {
	funcs := map[string]function.Function{
		"abs": stdlib.AbsoluteFunc, "ceil": stdlib.CeilFunc, "floor": stdlib.FloorFunc,
		"log": stdlib.LogFunc, "max": stdlib.MaxFunc, "min": stdlib.MinFunc,
		"parseint": stdlib.ParseIntFunc, "pow": stdlib.PowFunc, "signum": stdlib.SignumFunc,

		"chomp": stdlib.ChompFunc, "format": stdlib.FormatFunc, "formatlist": stdlib.FormatListFunc,
		"indent": stdlib.IndentFunc, "join": stdlib.JoinFunc, "lower": stdlib.LowerFunc,
		"regex_replace": stdlib.RegexReplaceFunc, "replace": stdlib.ReplaceFunc,
		"reverse": stdlib.ReverseFunc, "split": stdlib.SplitFunc, "strlen": stdlib.StrlenFunc,
		"strrev": stdlib.ReverseFunc, "substr": stdlib.SubstrFunc, "title": stdlib.TitleFunc,
		"trim": stdlib.TrimFunc, "trimprefix": stdlib.TrimPrefixFunc, "trimspace": stdlib.TrimSpaceFunc,
		"trimsuffix": stdlib.TrimSuffixFunc, "upper": stdlib.UpperFunc,

		"chunklist": stdlib.ChunklistFunc, "coalesce": stdlib.CoalesceFunc, "coalescelist": stdlib.CoalesceListFunc,
		"compact": stdlib.CompactFunc, "concat": stdlib.ConcatFunc, "contains": stdlib.ContainsFunc,
		"distinct": stdlib.DistinctFunc, "element": stdlib.ElementFunc, "flatten": stdlib.FlattenFunc,
		"index": stdlib.IndexFunc, "keys": stdlib.KeysFunc, "length": stdlib.LengthFunc,
		"lookup": stdlib.LookupFunc, "merge": stdlib.MergeFunc, "range": stdlib.RangeFunc,
		"setintersection": stdlib.SetIntersectionFunc, "setproduct": stdlib.SetProductFunc,
		"setunion": stdlib.SetUnionFunc, "slice": stdlib.SliceFunc, "sort": stdlib.SortFunc,
		"values": stdlib.ValuesFunc, "zipmap": stdlib.ZipmapFunc,

		"base64decode": encoding.Base64DecodeFunc, "base64encode": encoding.Base64EncodeFunc,
		"csvdecode": stdlib.CSVDecodeFunc, "jsondecode": stdlib.JSONDecodeFunc, "jsonencode": stdlib.JSONEncodeFunc,
		"urlencode": encoding.URLEncodeFunc, "yamldecode": ctyyaml.YAMLDecodeFunc, "yamlencode": ctyyaml.YAMLEncodeFunc,

		"bcrypt": crypto.BcryptFunc, "rsadecrypt": crypto.RsaDecryptFunc,
		"sha256": crypto.Sha256Func, "sha512": crypto.Sha512Func,

		"cidrhost": cidr.HostFunc, "cidrnetmask": cidr.NetmaskFunc,
		"cidrsubnet": cidr.SubnetFunc, "cidrsubnets": cidr.SubnetsFunc,

		"formatdate": stdlib.FormatDateFunc, "timeadd": stdlib.TimeAddFunc,
		"uuidv4": uuid.V4Func, "uuidv5": uuid.V5Func,

		"can": tryfunc.CanFunc, "try": tryfunc.TryFunc, "convert": typeexpr.ConvertFunc,
	}
	if !fips140.Enabled() {
		funcs["md5"], funcs["sha1"] = crypto.Md5Func, crypto.Sha1Func
	}
	for name, cost := range costs() {
		funcs[name] = p.eval.guarded(funcs[name], cost)
	}
	for name, fn := range fileFunctions(baseDir) {
		if noFiles {
			fn = disabled(fn)
		}
		funcs[name] = fn
	}
	return funcs
}

func fileFunctions(baseDir string) map[string]function.Function {
	return map[string]function.Function{
		"abspath": filesystem.AbsPathFunc, "basename": filesystem.BasenameFunc,
		"dirname": filesystem.DirnameFunc, "pathexpand": filesystem.PathExpandFunc,
		"file":       readable(baseDir, filesystem.MakeFileFunc(baseDir, false)),
		"filebase64": readable(baseDir, filesystem.MakeFileFunc(baseDir, true)),
		"fileexists": filesystem.MakeFileExistsFunc(baseDir),
		"fileset":    filesystem.MakeFileSetFunc(baseDir),
	}
}

// readable keeps a function that reads the file of its first argument from what never
// ends or would not fit: devices, pipes and huge files.
func readable(baseDir string, fn function.Function) function.Function {
	return function.New(&function.Spec{
		Params: fn.Params(),
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			name := args[0].AsString()
			if !filepath.IsAbs(name) {
				name = filepath.Join(baseDir, name)
			}
			info, err := os.Stat(name)
			if err == nil && (!info.Mode().IsRegular() || info.Size() > maxText) {
				return cty.UnknownVal(cty.String), fmt.Errorf("%s is not a file of at most %d MiB", name, maxText>>20)
			}
			return fn.Call(args)
		},
	})
}

// disabled is a function of the same signature that always fails.
func disabled(fn function.Function) function.Function {
	return function.New(&function.Spec{
		Params:   fn.Params(),
		VarParam: fn.VarParam(),
		Type: func([]cty.Value) (cty.Type, error) {
			return cty.DynamicPseudoType, errors.New("file functions are disabled here")
		},
		Impl: func([]cty.Value, cty.Type) (cty.Value, error) {
			return cty.DynamicVal, errors.New("file functions are disabled here")
		},
	})
}
