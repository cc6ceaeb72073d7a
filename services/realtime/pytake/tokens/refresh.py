"""Random refresh tokens; only their hash is ever stored."""

import hashlib
import secrets


class RandomRefreshTokens:
    """Port `RefreshTokenMaker`: 256 random bits, so that a plain hash is enough."""

    def new(self) -> tuple[str, str]:
        """Return a new token and its hash."""
        token = secrets.token_urlsafe(32)
        return token, self.hash_of(token)

    def hash_of(self, token: str) -> str:
        """Return what the store knows the token by."""
        return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
