#include "storage/delay_index.hpp"

#include "base/bytes.hpp"
#include "base/check.hpp"

#include <algorithm>
#include <limits>

namespace holdfast::storage {
namespace {

constexpr std::uint8_t delay_tag = 'y';
constexpr std::size_t key_bytes = 17;
constexpr std::size_t value_bytes = 16;

delay_key behind(const delay_key& key) {
    return {key.due, key.position + 1};
}

} // namespace

std::string delay_store_key(const delay_key& key) {
    HOLDFAST_CHECK(key.due.value() >= 0);
    std::string text;
    text.reserve(key_bytes);
    append_big(text, delay_tag);
    append_big(text, static_cast<std::uint64_t>(key.due.value()));
    append_big(text, key.position.value());
    return text;
}

std::string encode_delay_value(const delayed_message& message) {
    std::string value(value_bytes, '\0');
    auto* const to = reinterpret_cast<std::byte*>(value.data());
    store_little(to, message.queue.topic.value());
    store_little(to + 4, message.queue.queue.value());
    store_little(to + 8, message.size);
    store_little(to + 12, message.tags);
    return value;
}

std::optional<delayed_message> decode_delayed(std::string_view key, std::string_view value) {
    if (key.size() != key_bytes || value.size() != value_bytes ||
        static_cast<std::uint8_t>(key.front()) != delay_tag)
        return std::nullopt;
    const auto* const from = as_bytes(key).data();
    const auto* const fields = as_bytes(value).data();
    delayed_message message;
    message.key = {timestamp_ms{load_big<std::int64_t>(from + 1)},
                   log_position{load_big<std::uint64_t>(from + 9)}};
    message.queue = {topic_id{load_little<std::uint32_t>(fields)},
                     queue_number{load_little<std::uint32_t>(fields + 4)}};
    message.size = load_little<std::uint32_t>(fields + 8);
    message.tags = load_little<std::int32_t>(fields + 12);
    if (message.key.due.value() < 0)
        return std::nullopt;
    return message;
}

void delay_index::add(std::span<const delayed_message> messages) {
    if (messages.empty())
        return;
    const std::lock_guard lock{mutex_};
    for (const auto& message : messages)
        recent_.insert_or_assign(message.key, recent_change{message, message.key.position});
}

void delay_index::remove(std::span<const delay_key> cancelled, log_position at) {
    const std::lock_guard lock{mutex_};
    for (const auto& key : cancelled)
        recent_.insert_or_assign(key, recent_change{std::nullopt, at});
}

void delay_index::advance(std::uint64_t version, delay_key cursor) {
    const std::lock_guard lock{mutex_};
    version_ = version;
    cursor_ = std::max(cursor_, cursor);
    recent_.erase(recent_.begin(), recent_.upper_bound(cursor_));
}

void delay_index::evict(log_position applied) {
    const std::lock_guard lock{mutex_};
    std::erase_if(recent_, [&](const auto& change) { return change.second.at < applied; });
}

// What came since the checkpoint is copied first and the store read afterwards: a checkpoint between the two
// shows the same message twice, and once is taken.
result<delay_index::due_messages> delay_index::range(delay_key first, timestamp_ms until,
                                                     std::size_t limit) const {
    due_messages found;
    std::vector<std::pair<delay_key, std::optional<delayed_message>>> changed;
    delay_key from;
    const delay_key last{until, log_position{std::numeric_limits<std::uint64_t>::max()}};
    {
        const std::lock_guard lock{mutex_};
        found.version = version_;
        from = std::max(first, behind(cursor_));
        if (last < from)
            return found;
        std::size_t added = 0;
        for (auto at = recent_.lower_bound(from); at != recent_.end() && at->first <= last && added < limit;
             ++at) {
            changed.emplace_back(at->first, at->second.added);
            added += at->second.added ? 1 : 0;
        }
    }
    auto change = changed.begin();
    const auto take_change = [&] {
        if (change->second && found.messages.size() < limit)
            found.messages.push_back(*change->second);
        ++change;
    };
    const auto take_changes_before = [&](const delay_key& key) {
        while (change != changed.end() && change->first < key)
            take_change();
    };
    std::optional<error> broken;
    auto scanned = store_.scan(
        delay_store_key(from), delay_store_key({until + 1, log_position{0}}),
        [&](std::string_view key, std::string_view value) {
            const auto message = decode_delayed(key, value);
            if (!message) {
                broken = error{errc::corrupted, "the table of delayed messages does not follow its format"};
                return false;
            }
            take_changes_before(message->key);
            const bool changed_too = change != changed.end() && change->first == message->key;
            if (!changed_too && found.messages.size() < limit)
                found.messages.push_back(*message);
            return found.messages.size() < limit;
        });
    if (!scanned.ok())
        return scanned.failure();
    if (broken)
        return *broken;
    while (change != changed.end())
        take_change();
    return found;
}

result<std::vector<delayed_message>> delay_index::at(timestamp_ms due) const {
    auto found = range({due, log_position{0}}, due, std::numeric_limits<std::size_t>::max());
    if (!found.ok())
        return found.failure();
    return std::move(found->messages);
}

result<delay_index::due_messages> delay_index::due(timestamp_ms until, std::size_t limit) const {
    return range({timestamp_ms{0}, log_position{0}}, until, limit);
}

result<std::optional<delayed_message>> delay_index::next() const {
    auto first = due(timestamp_ms{std::numeric_limits<std::int64_t>::max() - 1}, 1);
    if (!first.ok())
        return first.failure();
    return first->messages.empty() ? std::optional<delayed_message>{} : first->messages.front();
}

result<std::optional<delayed_message>> delay_index::find(const delay_key& key) const {
    {
        const std::lock_guard lock{mutex_};
        if (key <= cursor_)
            return std::optional<delayed_message>{};
        if (const auto recent = recent_.find(key); recent != recent_.end())
            return recent->second.added;
    }
    const auto store_key = delay_store_key(key);
    const auto value = store_.find(store_key);
    if (!value.ok())
        return value.failure();
    return *value ? decode_delayed(store_key, **value) : std::optional<delayed_message>{};
}

std::uint64_t delay_index::version() const {
    const std::lock_guard lock{mutex_};
    return version_;
}

std::size_t delay_index::in_memory() const {
    const std::lock_guard lock{mutex_};
    return recent_.size();
}

} // namespace holdfast::storage
