package artifact

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// Create makes the bucket, unless it is there already.
func (b *Bucket) Create(ctx context.Context) error {
	_, err := b.client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &b.cfg.Name})
	if _, ok := errors.AsType[*types.BucketAlreadyOwnedByYou](err); ok {
		return nil
	}
	if _, ok := errors.AsType[*types.BucketAlreadyExists](err); ok {
		return nil
	}
	if err != nil {
		return fmt.Errorf("make the bucket %s: %w", b.cfg.Name, err)
	}
	return nil
}
