"""What do the methods that concern the bot itself and its chats answer: name, commands, menu, webhook?"""

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from bot.simulator.messaging import Files, Handler
from bot.simulator.methods import Params
from bot.simulator.parts import Chat, Refused
from bot.simulator.updates import Webhook

if TYPE_CHECKING:
    from bot.simulator.telegram import SimulatedTelegram

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})
MAX_COMMANDS = 100

_SCOPES = frozenset(
    {
        "default",
        "all_private_chats",
        "all_group_chats",
        "all_chat_administrators",
        "chat",
        "chat_administrators",
        "chat_member",
    }
)
_LIMITS = {"name": 64, "description": 512, "short_description": 120}


def get_me(telegram: "SimulatedTelegram", params: Params, files: Files) -> dict[str, Any]:
    """Tell who the bot is."""
    return {
        **telegram.bot_json(),
        "can_join_groups": True,
        "can_read_all_group_messages": False,
        "supports_inline_queries": False,
        "can_connect_to_business": False,
        "has_main_web_app": False,
    }


def done(telegram: "SimulatedTelegram", params: Params, files: Files) -> bool:
    """Answer a method that changes nothing a bot could see."""
    return True


def set_webhook(telegram: "SimulatedTelegram", params: Params, files: Files) -> bool:
    """Deliver by POST from now on; only to this machine, whatever the bot says."""
    url = params.text("url")
    secret = params.text("secret_token")
    if url and urlsplit(url).hostname not in LOOPBACK_HOSTS:
        raise Refused(400, "Bad Request: bad webhook: the simulated server posts to this machine only")
    if secret and not re.fullmatch(r"[A-Za-z0-9_-]{1,256}", secret):
        raise Refused(400, "Bad Request: secret token contains unallowed characters")
    telegram.updates.allow(params.json("allowed_updates"))
    if params.flag("drop_pending_updates"):
        telegram.updates.drop()
    telegram.updates.set_webhook(Webhook(url, secret, params.integer("max_connections", 40)))
    return True


def delete_webhook(telegram: "SimulatedTelegram", params: Params, files: Files) -> bool:
    """Return to long polling."""
    if params.flag("drop_pending_updates"):
        telegram.updates.drop()
    telegram.updates.set_webhook(Webhook())
    return True


def get_webhook_info(telegram: "SimulatedTelegram", params: Params, files: Files) -> dict[str, Any]:
    """Tell how updates are delivered and how many wait."""
    webhook = telegram.updates.webhook
    return {
        "url": webhook.url,
        "has_custom_certificate": False,
        "pending_update_count": len(telegram.updates.pending),
        "max_connections": webhook.max_connections,
    }


def set_commands(telegram: "SimulatedTelegram", params: Params, files: Files) -> bool:
    """Keep a command menu for a scope and language."""
    commands = params.json("commands")
    if not isinstance(commands, list):
        raise Refused(400, "Bad Request: expected an Array of BotCommand")
    if len(commands) > MAX_COMMANDS:
        raise Refused(400, "Bad Request: BOT_COMMANDS_TOO_MUCH")
    for command in commands:
        if not re.fullmatch(r"[a-z0-9_]{1,32}", command.get("command", "").removeprefix("/")):
            raise Refused(400, "Bad Request: BOT_COMMAND_INVALID")
        if not 1 <= len(command.get("description", "")) <= 256:
            raise Refused(400, "Bad Request: BOT_COMMAND_DESCRIPTION_INVALID")
    telegram.commands[_menu(telegram, params)] = commands
    return True


def delete_commands(telegram: "SimulatedTelegram", params: Params, files: Files) -> bool:
    """Forget a command menu."""
    telegram.commands.pop(_menu(telegram, params), None)
    return True


def get_commands(telegram: "SimulatedTelegram", params: Params, files: Files) -> list[dict[str, str]]:
    """Return the command menu of exactly this scope and language."""
    return telegram.commands.get(_menu(telegram, params), [])


def _menu(telegram: "SimulatedTelegram", params: Params) -> tuple[str, str]:
    scope = params.json("scope") or {"type": "default"}
    if scope.get("type") not in _SCOPES:
        raise Refused(400, "Bad Request: unsupported type of bot command scope specified")
    if "chat_id" in scope:
        scope = {**scope, "chat_id": telegram.known_chat(str(scope["chat_id"])).chat_id}
    return json.dumps(scope, sort_keys=True), _language(params)


def _language(params: Params) -> str:
    language = params.text("language_code")
    if language and not re.fullmatch(r"[a-z]{2}", language):
        raise Refused(400, "Bad Request: invalid language code specified")
    return language


def _setter(field: str) -> Handler:
    def set_profile_text(telegram: "SimulatedTelegram", params: Params, files: Files) -> bool:
        text = params.text(field)
        if len(text) > _LIMITS[field]:
            raise Refused(400, f"Bad Request: bot {field.replace('_', ' ')} is too long")
        telegram.profile[field, _language(params)] = text
        return True

    return set_profile_text


def _getter(field: str) -> Handler:
    def get_profile_text(telegram: "SimulatedTelegram", params: Params, files: Files) -> dict[str, str]:
        default = telegram.profile.get((field, ""), "")
        return {field: telegram.profile.get((field, _language(params)), default)}

    return get_profile_text


def _menu_chat(telegram: "SimulatedTelegram", params: Params) -> Chat | None:
    return telegram.known_chat(params.text("chat_id")) if "chat_id" in params else None


def set_menu_button(telegram: "SimulatedTelegram", params: Params, files: Files) -> bool:
    """Keep the menu button of a private chat, or of all."""
    button = params.json("menu_button") or {"type": "default"}
    if button.get("type") not in {"default", "commands", "web_app"}:
        raise Refused(400, "Bad Request: MenuButton has unsupported type")
    chat = _menu_chat(telegram, params)
    if chat is None:
        telegram.menu_button = button
    else:
        chat.menu_button = button
    return True


def get_menu_button(telegram: "SimulatedTelegram", params: Params, files: Files) -> dict[str, Any]:
    """Return the menu button of a private chat, or the general one."""
    chat = _menu_chat(telegram, params)
    if chat is None or chat.menu_button["type"] == "default":
        return telegram.menu_button
    return chat.menu_button


def leave_chat(telegram: "SimulatedTelegram", params: Params, files: Files) -> bool:
    """Leave a group."""
    chat = telegram.known_chat(params.text("chat_id"))
    if chat.kind == "private":
        raise Refused(400, "Bad Request: chat member status can't be changed in private chats")
    if not chat.bot_is_member:
        raise Refused(403, "Forbidden: bot is not a member of the group chat")
    chat.bot_is_member = False
    return True


def get_chat(telegram: "SimulatedTelegram", params: Params, files: Files) -> dict[str, Any]:
    """Tell what the bot may know of a chat."""
    chat = telegram.known_chat(params.text("chat_id"))
    gifts = (
        "unlimited_gifts",
        "limited_gifts",
        "unique_gifts",
        "premium_subscription",
        "gifts_from_channels",
    )
    return {
        **chat.as_json(),
        "accent_color_id": 0,
        "max_reaction_count": 11,
        "accepted_gift_types": dict.fromkeys(gifts, False),
    }


HANDLERS: Mapping[str, Handler] = {
    "getMe": get_me,
    "logOut": done,
    "close": done,
    "setWebhook": set_webhook,
    "deleteWebhook": delete_webhook,
    "getWebhookInfo": get_webhook_info,
    "setMyCommands": set_commands,
    "deleteMyCommands": delete_commands,
    "getMyCommands": get_commands,
    "setMyName": _setter("name"),
    "getMyName": _getter("name"),
    "setMyDescription": _setter("description"),
    "getMyDescription": _getter("description"),
    "setMyShortDescription": _setter("short_description"),
    "getMyShortDescription": _getter("short_description"),
    "setChatMenuButton": set_menu_button,
    "getChatMenuButton": get_menu_button,
    "leaveChat": leave_chat,
    "getChat": get_chat,
}
