package main

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"
)

func artifactCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name: "artifact", Usage: "build, upload and list artifacts", HideHelpCommand: true,
		Subcommands: []*cli.Command{
			artifactBuildCommand(t), artifactPushCommand(t), artifactListCommand(t),
		},
	}
}

func projectFlags() []cli.Flag {
	return join(artifactFlags(), configFlags(), logFlags(), []cli.Flag{
		&cli.StringFlag{Name: "commit", Usage: "the `COMMIT` that tags the artifacts"},
		&cli.StringSliceFlag{Name: "var", Usage: "BB_COMMIT=`COMMIT`, as for deploy"},
		&cli.StringFlag{Name: "bucket", Usage: "the S3 `BUCKET`"},
		&cli.BoolFlag{Name: "standalone", Usage: "use the store of the built-in orchestrator"},
		&cli.BoolFlag{Name: "force", Usage: "replace what stands under the commit's name"},
	})
}

// openForArtifacts opens a project in which at least one artifact is known.
func openForArtifacts(c *cli.Context, t *terminal) (*project, error) {
	target, err := oneArg(c, "FOLDER")
	if err != nil {
		return nil, err
	}
	p, err := openProject(c.Context, t, c, target)
	if err != nil {
		return nil, err
	}
	if len(p.artifacts) == 0 {
		return nil, usageError{withHint(errors.New("there is no artifact"), "say -artifact NAME=PATH, or name it in ostro.hcl")}
	}
	return p, p.needCommit()
}

func artifactPushCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name: "push", Usage: "build the artifacts and upload them under the commit's name", ArgsUsage: "[FOLDER]",
		Flags: projectFlags(),
		Action: func(c *cli.Context) error {
			p, err := openForArtifacts(c, t)
			if err != nil {
				return err
			}
			defer p.close()
			agent, err := p.agentIfStandalone(c)
			if err != nil {
				return err
			}
			bucket, err := p.openBucket(c.Context, agent)
			if err != nil {
				return err
			}
			if err := p.pushAll(c.Context, bucket, false, c.Bool("force")); err != nil {
				return err
			}
			for _, a := range p.artifacts {
				key, err := p.objectKey(a)
				if err != nil {
					return usageError{err}
				}
				t.result("%s", bucket.URL(key))
			}
			return nil
		},
	}
}

func (p *project) agentIfStandalone(c *cli.Context) (*agentState, error) {
	if !p.standalone() {
		return nil, nil
	}
	return ensureAgent(c.Context, p.t)
}

func artifactBuildCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name: "build", Usage: "build the artifacts and write their zips", ArgsUsage: "[FOLDER]",
		Flags: join(projectFlags(), []cli.Flag{
			&cli.StringFlag{Name: "out", Value: ".", Usage: "the `FOLDER` to write to"},
		}),
		Action: func(c *cli.Context) error {
			p, err := openForArtifacts(c, t)
			if err != nil {
				return err
			}
			defer p.close()
			for _, a := range p.artifacts {
				if err := p.writeZip(c, a); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func (p *project) writeZip(c *cli.Context, a artifactSource) error {
	key, err := p.objectKey(a)
	if err != nil {
		return usageError{err}
	}
	tree, err := p.tree(c.Context, a)
	if err != nil {
		return err
	}
	path := filepath.Join(c.String("out"), filepath.Base(key))
	out, err := os.CreateTemp(filepath.Dir(path), ".ostro-zip-")
	if err != nil {
		return err
	}
	err = errors.Join(tree.Zip(c.Context, out), out.Chmod(0o644), out.Close())
	if err == nil {
		err = os.Rename(out.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(out.Name()))
	}
	p.t.result("%s", path)
	return nil
}

func artifactListCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name: "ls", Usage: "list what is in the bucket", ArgsUsage: "[PREFIX]",
		Flags: projectFlags(),
		Action: func(c *cli.Context) error {
			prefix, err := oneArg(c, "PREFIX")
			if err != nil {
				return err
			}
			p, err := openConfig(t, c, "")
			if err != nil {
				return err
			}
			agent, err := p.agentIfStandalone(c)
			if err != nil {
				return err
			}
			bucket, err := p.openBucket(c.Context, agent)
			if err != nil {
				return err
			}
			for object, err := range bucket.List(c.Context, prefix) {
				if err != nil {
					return err
				}
				t.result("%s  %10s  %s", object.Modified.UTC().Format("2006-01-02 15:04:05"), size(object.Size), object.Key)
			}
			return nil
		},
	}
}
