"""Who you are to a server, what you may use; and, for administrators, users, keys, groups, usage and the audit trail."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from adhop.connection import Connection
from adhop.errors import AdhopError
from adhop.submission import present


class Accounts(Connection):
    """That part of a server. Users and groups are named; what a new key reads is in its `key`, this once."""

    def me(self) -> dict[str, Any]:
        """Your name, role and groups, your limits and what you use of them."""
        found: dict[str, Any] = self.request("GET", "/v1/me")
        return found

    def keys(self, user: str | None = None) -> list[dict[str, Any]]:
        """Your keys without their secrets, or those of a user, the newest first."""
        found: list[dict[str, Any]] = self.request("GET", self._keys(user))["keys"]
        return found

    def create_key(
        self, user: str, *, role: str = "submit", label: str = "", expires_at: str | None = None
    ) -> dict[str, Any]:
        """One more key for a user. expires_at: ISO 8601, with its time zone."""
        body = {"role": role, "label": label} | present(expires_at=expires_at)
        made: dict[str, Any] = self.request("POST", self._keys(user), json=body)
        return made

    def change_key(self, user: str, prefix: str, **change: Any) -> dict[str, Any]:
        """Another `label` or `expires_at` (None: never)."""
        changed: dict[str, Any] = self.request("PATCH", f"{self._keys(user)}/{prefix}", json=change)
        return changed

    def rotate_key(self, prefix: str, user: str | None = None, *, grace_s: int = 0) -> dict[str, Any]:
        """A new key in place of one of yours, or of a user's, which works for `grace_s` more, seconds."""
        path = f"{self._keys(user)}/{prefix}/rotate"
        made: dict[str, Any] = self.request("POST", path, json={"grace_s": grace_s})
        return made

    def revoke_key(self, prefix: str, user: str | None = None) -> dict[str, Any]:
        """End one of your keys, or of a user's."""
        ended: dict[str, Any] = self.request("DELETE", f"{self._keys(user)}/{prefix}")
        return ended

    def users(self) -> Iterator[dict[str, Any]]:
        """All users with their limits and what they use."""
        return self._pages("/v1/users", "users")

    def user(self, name: str) -> dict[str, Any]:
        """One user. Raises AdhopError where there is none of that name."""
        for found in self._pages("/v1/users", "users", name=name):
            return found
        raise AdhopError(f"there is no user {name!r}")

    def create_user(
        self, name: str, *, role: str = "submit", label: str = "", expires_at: str | None = None, **limits: int
    ) -> dict[str, Any]:
        """A new user with a first key, in `key`. limits: max_open_jobs, max_open_force_calls, max_bytes, max_requests_per_minute."""
        key = {"role": role, "label": label} | present(expires_at=expires_at)
        made: dict[str, Any] = self.request("POST", "/v1/users", json={"name": name, "key": key, "limits": limits})
        return made

    def limit_user(self, name: str, **limits: int | None) -> dict[str, Any]:
        """Limits as of `create_user`; None: the server's."""
        return self._change_user(name, {"limits": limits})

    def disable_user(self, name: str) -> dict[str, Any]:
        """Their keys stop working, their open jobs are cancelled: `cancelled_jobs` says how many."""
        return self._change_user(name, {"disabled": True})

    def enable_user(self, name: str) -> dict[str, Any]:
        """Let a disabled user in again."""
        return self._change_user(name, {"disabled": False})

    def groups(self) -> list[dict[str, Any]]:
        """Your groups, or all of them for an administrator."""
        found: list[dict[str, Any]] = self.request("GET", "/v1/groups")["groups"]
        return found

    def create_group(self, name: str) -> dict[str, Any]:
        made: dict[str, Any] = self.request("POST", "/v1/groups", json={"name": name})
        return made

    def delete_group(self, name: str) -> None:
        """What was shared with it is its owners' alone again."""
        self.request("DELETE", f"/v1/groups/{self._group(name)}")

    def join(self, group: str, user: str) -> dict[str, Any]:
        """Make a user a member of a group."""
        path = f"/v1/groups/{self._group(group)}/members/{self.user(user)['id']}"
        found: dict[str, Any] = self.request("PUT", path)
        return found

    def leave(self, group: str, user: str) -> dict[str, Any]:
        """End a membership; what the user shared stays shared."""
        path = f"/v1/groups/{self._group(group)}/members/{self.user(user)['id']}"
        found: dict[str, Any] = self.request("DELETE", path)
        return found

    def usage(self, *, month: str | None = None, user: str | None = None) -> list[dict[str, Any]]:
        """What you used, or everybody for an administrator, by month such as 2026-03: device seconds, force calls, jobs."""
        found: list[dict[str, Any]] = self.request("GET", "/v1/usage", params=present(month=month, user=user))["usage"]
        return found

    def audit(
        self,
        *,
        user: str | None = None,
        action: str | None = None,
        job: str | None = None,
        since: str | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Who did what, the newest first. action: such as job.cancel, or job. since: ISO 8601, with its time zone."""
        return self._pages("/v1/audit", "entries", user=user, action=action, job=job, since=since)

    def _change_user(self, name: str, change: dict[str, Any]) -> dict[str, Any]:
        changed: dict[str, Any] = self.request("PATCH", f"/v1/users/{self.user(name)['id']}", json=change)
        return changed

    def _keys(self, user: str | None) -> str:
        return "/v1/me/keys" if user is None else f"/v1/users/{self.user(user)['id']}/keys"

    def _group(self, name: str) -> int:
        for group in self.groups():
            if group["name"] == name:
                return int(group["id"])
        raise AdhopError(f"there is no group {name!r}")

    def _pages(self, path: str, what: str, **asked: Any) -> Iterator[dict[str, Any]]:
        cursor = None
        while True:
            page = self.request("GET", path, params=present(cursor=cursor, limit=100, **asked))
            yield from page[what]
            cursor = page["next"]
            if cursor is None:
                return
