package artifact

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// stepToken is a token of Bitbucket Pipelines, which a step with `oidc: true` finds in its environment.
type stepToken string

// GetIdentityToken implements stscreds.IdentityTokenRetriever.
func (t stepToken) GetIdentityToken() ([]byte, error) { return []byte(t), nil }

// stepIdentity takes the role AWS_ROLE_ARN by the token of a pipeline's step, where there is one and no other
// credentials are in the environment. The SDK would do so only with the token in a file.
func stepIdentity(conf *aws.Config, getenv func(string) string) {
	role, token := getenv("AWS_ROLE_ARN"), getenv("BITBUCKET_STEP_OIDC_TOKEN")
	if role == "" || token == "" || getenv("AWS_ACCESS_KEY_ID") != "" || getenv("AWS_WEB_IDENTITY_TOKEN_FILE") != "" {
		return
	}
	provider := stscreds.NewWebIdentityRoleProvider(sts.NewFromConfig(*conf), role, stepToken(token), func(o *stscreds.WebIdentityRoleOptions) {
		o.RoleSessionName = "ostro"
	})
	conf.Credentials = aws.NewCredentialsCache(provider)
}
