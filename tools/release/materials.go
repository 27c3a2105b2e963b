package main

import (
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"
)

// The parts of a bill of materials that there are here. (CycloneDX 1.6.)
type (
	bill struct {
		Format       string       `json:"bomFormat"`
		SpecVersion  string       `json:"specVersion"`
		Version      int          `json:"version"`
		Metadata     metadata     `json:"metadata"`
		Components   []component  `json:"components"`
		Dependencies []dependency `json:"dependencies"`
	}
	metadata struct {
		Component component `json:"component"`
	}
	component struct {
		Type       string     `json:"type"`
		Ref        string     `json:"bom-ref"`
		Name       string     `json:"name"`
		Version    string     `json:"version,omitempty"`
		PURL       string     `json:"purl,omitempty"`
		Properties []property `json:"properties,omitempty"`
	}
	property struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	dependency struct {
		Ref       string   `json:"ref"`
		DependsOn []string `json:"dependsOn"`
	}
)

// writeMaterials writes beside a binary what the linker says is in it. It has
// neither a time nor a serial number, so that the same binary has the same bill.
func writeMaterials(path, version string) error {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read what %s is made of: %w", path, err)
	}
	text, err := json.MarshalIndent(billOf(info, version), "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path+".cdx.json", append(text, '\n'), 0o644)
}

func billOf(info *debug.BuildInfo, version string) bill {
	program := component{Type: "application", Ref: "ostro", Name: "ostro", Version: version}
	for _, s := range info.Settings {
		program.Properties = append(program.Properties, property{"go:build:" + s.Key, s.Value})
	}
	b := bill{Format: "CycloneDX", SpecVersion: "1.6", Version: 1, Metadata: metadata{program}}
	all := dependency{Ref: "ostro"}
	add := func(c component) {
		b.Components = append(b.Components, c)
		all.DependsOn = append(all.DependsOn, c.Ref)
	}
	std := "pkg:golang/std@" + info.GoVersion
	add(component{Type: "library", Ref: std, Name: "std", Version: info.GoVersion, PURL: std})
	for _, module := range info.Deps {
		if module.Replace != nil {
			module = module.Replace
		}
		purl := "pkg:golang/" + module.Path + "@" + module.Version
		add(component{Type: "library", Ref: purl, Name: module.Path, Version: module.Version, PURL: purl,
			Properties: []property{{"go:sum", module.Sum}}})
	}
	b.Dependencies = []dependency{all}
	return b
}
