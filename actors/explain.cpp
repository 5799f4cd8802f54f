#include "actors/explain.hpp"

#include "actors/explain_replicas.hpp"
#include "broker/delivery_records.hpp"
#include "broker/record_keys.hpp"
#include "protocol/host.hpp"
#include "protocol/message_id.hpp"
#include "protocol/names.hpp"
#include "protocol/recall_handle.hpp"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

namespace holdfast::actors {
namespace {

using json = nlohmann::ordered_json;
using broker::command_kind;
using storage::record_fate;

constexpr timestamp_ms from_ever{std::numeric_limits<std::int64_t>::min()};
constexpr timestamp_ms for_ever{std::numeric_limits<std::int64_t>::max()};

std::string text(const json& value) {
    return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string id_of(const explained_record& found) {
    return protocol::make_message_id(found.message.store_host.to_ipv4(), found.position);
}

std::string property_of(const explained_record& found, std::string_view name) {
    return std::string{found.message.property(name).value_or("")};
}

bool is_copy(const explained_record& found) {
    return protocol::is_retry_topic(found.message.topic) ||
           protocol::is_dead_letter_topic(found.message.topic);
}

// One word for where it is now.
std::string_view standing_of(const explained_record& found) {
    switch (found.record.command.kind) {
    case command_kind::half:
    case command_kind::lean_half:
        if (!found.settled)
            return "undecided";
        break;
    case command_kind::delayed:
    case command_kind::lean_delayed:
        if (!found.settled)
            return "waiting";
        break;
    default:
        return found.offset ? "queued" : "not in a queue";
    }
    switch (found.settled->fate) {
    case record_fate::queued:
        return found.offset ? "queued" : "not in a queue";
    case record_fate::rolled_back:
        return "rolled back";
    case record_fate::given_up:
        return "given up";
    case record_fate::cancelled:
        return "cancelled";
    case record_fate::topic_gone:
        return "topic deleted";
    }
    return "unknown";
}

// Where it is, or would go.
std::string_view topic_of(const explained_record& found) {
    const bool given_up = found.settled && found.settled->fate == record_fate::given_up;
    return given_up ? protocol::check_exhausted_topic : found.message.topic;
}

json place_of(const explained_record& found) {
    json place;
    place["topic"] = topic_of(found);
    place["queue"] = found.queue.queue.value();
    place["offset"] = found.offset ? json(found.offset->value()) : json(nullptr);
    return place;
}

json short_form(const explained_record& found) {
    json one;
    one["messageId"] = id_of(found);
    one["uniqKey"] = property_of(found, protocol::property::unique_key);
    one["place"] = place_of(found);
    one["received"] = found.message.stored.value();
    one["standing"] = standing_of(found);
    return one;
}

json log_part(const explained_record& found, const session_environment& environment) {
    const auto marks = environment.view->marks();
    json part;
    part["position"] = found.position.value();
    part["entry"] = found.record.entry.position.value();
    part["term"] = found.entry.term.value();
    part["size"] = found.message.size;
    part["flushed"] = found.entry.end() <= marks.flushed;
    part["flushedUntil"] = marks.flushed.value();
    part["committed"] = found.entry.end() <= marks.committed;
    part["bodyIntact"] = found.message.body_is_intact();
    return part;
}

json replicas_part(const explained_record& found, const session_environment& environment) {
    const auto group = environment.cluster == nullptr ? cluster_standing{} : environment.cluster->now();
    json part = json::array();
    for (const auto& replica :
         replicas_of(environment.config->node_name, environment.view->marks(), group, found.entry.end())) {
        json one;
        one["node"] = replica.node;
        one["flushed"] = replica.behind_bytes == 0U;
        one["behind"] = replica.behind_bytes ? json(*replica.behind_bytes) : json(nullptr);
        part.push_back(std::move(one));
    }
    return part;
}

json transaction_part(const explained_record& found, const std::optional<broker::half_message>& half) {
    if (!broker::is_half(found.record.command.kind))
        return nullptr;
    json part;
    const auto fate = found.settled ? std::optional{found.settled->fate} : std::nullopt;
    part["state"] = !fate                              ? "undecided"
                    : fate == record_fate::rolled_back ? "rolled back"
                    : fate == record_fate::given_up    ? "given up"
                    : fate == record_fate::topic_gone  ? "committed, but the topic was deleted"
                                                       : "committed";
    part["producerGroup"] = property_of(found, protocol::property::producer_group);
    part["checks"] = half ? json(half->checks) : found.settled ? json(found.settled->checks) : json(nullptr);
    part["decided"] = found.settled ? json(found.settled->when.value()) : json(nullptr);
    part["lastChecked"] = half && half->checks > 0 ? json(half->last_checked.value()) : json(nullptr);
    return part;
}

// What `holdfast delayed cancel` takes.
std::string recall_handle_of(const explained_record& found, timestamp_ms due, const std::string& broker) {
    const auto key = property_of(found, protocol::property::unique_key);
    // Without a key of its own it can be named by its place only; the handle's time is then 0.
    return protocol::make_recall_handle({std::string{found.message.topic}, broker,
                                         key.empty() ? timestamp_ms{0} : due,
                                         key.empty() ? id_of(found) : key});
}

json delay_part(const explained_record& found, const session_environment& environment) {
    if (!broker::is_delayed(found.record.command.kind))
        return nullptr;
    const auto payload = found.record.entry.entry.view().subspan(
        found.record.offset, found.record.size + broker::delayed_trailer_bytes);
    const auto delayed = broker::decode_delayed(payload);
    json part;
    part["due"] = delayed.ok() ? json(delayed->due.value()) : json(nullptr);
    part["state"] = standing_of(found) == "queued" ? "delivered" : standing_of(found);
    part["recallHandle"] = delayed.ok() && !found.settled
                               ? json(recall_handle_of(found, delayed->due, environment.config->broker_name))
                               : json(nullptr);
    return part;
}

json copies_part(const std::string& group, const explainer::copies& copies,
                 const session_environment& environment) {
    json part = json::array();
    for (const auto* kind : {&copies.retried, &copies.dead})
        for (const auto& copy : *kind) {
            auto shown = short_form(copy);
            const auto next = environment.view->offset(group, copy.queue);
            shown["delay"] = delay_part(copy, environment);
            shown["acknowledged"] = copy.offset && next && *next > *copy.offset;
            part.push_back(std::move(shown));
        }
    return part;
}

json group_part(const explained_record& found, const std::string& group, const explainer::copies& copies,
                const session_environment& environment) {
    const auto next = environment.view->offset(group, found.queue);
    const auto pulled = environment.owners->find(group, found.queue).pulled_from;
    const bool acknowledged = found.offset && next && *next > *found.offset;
    json part;
    part["group"] = group;
    part["online"] = environment.groups->find(group) != nullptr;
    part["committed"] = next ? json(next->value()) : json(nullptr);
    part["fetched"] = acknowledged || (found.offset && pulled && *pulled > *found.offset);
    part["acknowledged"] = acknowledged;
    part["sentBack"] = copies.retried.size();
    part["deadLettered"] = !copies.dead.empty();
    part["copies"] = copies_part(group, copies, environment);
    return part;
}

// Every group that reads the queue, or has read it, or has sent the message back.
json groups_part(const explained_record& found, const explainer::copies_by_group& copied,
                 const session_environment& environment) {
    std::set<std::string> groups;
    if (const auto topic = environment.view->find_topic(topic_of(found))) {
        for (auto& group : environment.view->groups_with_offsets_in(topic->id))
            groups.insert(std::move(group));
        for (auto& group : environment.groups->subscribers_of(topic->name))
            groups.insert(std::move(group));
    }
    for (const auto& [group, unused] : copied)
        groups.insert(group);
    json part = json::array();
    for (const auto& group : groups) {
        const auto own = copied.find(group);
        part.push_back(
            group_part(found, group, own == copied.end() ? explainer::copies{} : own->second, environment));
    }
    return part;
}

} // namespace

result<std::optional<explained_record>> explainer::find(log_position position) {
    using nothing = std::optional<explained_record>;
    if (const auto first = environment_.view->marks().first; position < first)
        return error{errc::not_found, "the log begins at " + std::to_string(first.value()) +
                                          "; what was at position " + std::to_string(position.value()) +
                                          " was removed by retention"};
    auto located = locate_record(environment_, position);
    if (!located.ok())
        return located.failure();
    if (!*located)
        return nothing{};
    const auto visible = find_visible_record(environment_, position);
    if (!visible.ok())
        return visible.failure();
    const auto settled = environment_.view->deliveries().find(position);
    if (!settled.ok())
        return settled.failure();
    const auto header = storage::decode_entry_header((*located)->entry.entry.view());
    const auto message = protocol::decode_stored_message((*located)->bytes());
    if (!header.ok() || !message.ok())
        return nothing{};
    explained_record found{position, std::move(**located), *header, *message, *settled, {}, {}};
    found.queue = *visible ? (*visible)->queue : found.record.queue;
    if (*visible)
        found.offset = (*visible)->offset;
    return nothing{std::move(found)};
}

result<void> explainer::find_by_key(const std::string& topic, std::string_view key,
                                    std::vector<explained_record>& found) {
    auto* const keys = environment_.keys->load(std::memory_order_acquire);
    if (keys == nullptr)
        return error{errc::unavailable, "the key index is being opened, try again in a moment"};
    const auto candidates = keys->find(storage::hash_key(topic, key), from_ever, for_ever, max_matches);
    if (!candidates.ok())
        return candidates.failure();
    for (const auto& candidate : *candidates) {
        if (found.size() >= max_matches)
            break;
        auto record = find(candidate.position);
        if (!record.ok() && record.failure().code == errc::not_found)
            continue; // retention was quicker than the index
        if (!record.ok())
            return record.failure();
        if (*record && (*record)->message.topic == topic && broker::carries_key((*record)->message, key))
            found.push_back(std::move(**record));
    }
    return {};
}

result<std::vector<explained_record>> explainer::find_all(std::string_view key, std::string_view topic) {
    std::vector<explained_record> found;
    // A UNIQ_KEY may look like a broker's id: it counts as one only if a record of this broker is there.
    if (const auto id = protocol::parse_message_id(key); id.ok()) {
        auto record = find(id->position);
        if (!record.ok() && record.failure().code == errc::not_found &&
            protocol::to_string(id->host.to_ipv4()) == environment_.broker_address)
            expired_ = id->position;
        else if (!record.ok() && record.failure().code == errc::corrupted)
            return record.failure();
        if (record.ok() && *record && (topic.empty() || (*record)->message.topic == topic)) {
            found.push_back(std::move(**record));
            return found;
        }
    }
    if (!topic.empty()) {
        if (auto searched = find_by_key(std::string{topic}, key, found); !searched.ok())
            return searched.failure();
    } else {
        for (const auto& each : environment_.view->topics())
            if (auto searched = find_by_key(each->name, key, found); !searched.ok())
                return searched.failure();
    }
    return found;
}

result<explainer::copies_by_group> explainer::find_copies(const explained_record& original) {
    copies_by_group found;
    const auto key = property_of(original, protocol::property::unique_key);
    if (key.empty())
        return found;
    for (const auto& group : environment_.view->groups()) {
        copies of_group;
        if (auto searched = find_by_key(protocol::retry_topic_of(group->name), key, of_group.retried);
            !searched.ok())
            return searched.failure();
        if (auto searched = find_by_key(protocol::dead_letter_topic_of(group->name), key, of_group.dead);
            !searched.ok())
            return searched.failure();
        if (!of_group.retried.empty() || !of_group.dead.empty())
            found.emplace(group->name, std::move(of_group));
    }
    return found;
}

result<std::string> explainer::explain(std::string_view key, std::string_view topic) {
    auto found = find_all(key, topic);
    if (!found.ok())
        return found.failure();
    json answer;
    // Copies in retry topics belong to their original's page, unless there is nothing else.
    if (std::any_of(found->begin(), found->end(), [](const auto& one) { return !is_copy(one); }))
        std::erase_if(*found, is_copy);
    answer["matches"] = found->size();
    if (found->empty() && expired_) {
        answer["standing"] = "expired";
        answer["position"] = expired_->value();
        answer["logFirst"] = environment_.view->marks().first.value();
    }
    if (found->empty())
        return text(answer);
    if (found->size() > 1) {
        answer["more"] = found->size() >= max_matches;
        for (const auto& one : *found)
            answer["list"].push_back(short_form(one));
        return text(answer);
    }
    const auto& message = found->front();
    const auto copied = find_copies(message);
    if (!copied.ok())
        return copied.failure();

    auto page = short_form(message);
    page["keys"] = property_of(message, protocol::property::keys);
    page["tag"] = property_of(message, protocol::property::tags);
    page["born"] = message.message.born.value();
    page["from"] = protocol::to_string(message.message.born_host.to_ipv4());
    page["reconsumeTimes"] = message.message.reconsume_times;
    page["log"] = log_part(message, environment_);
    page["replicas"] = replicas_part(message, environment_);
    page["transaction"] =
        transaction_part(message, message.settled ? std::nullopt : find_half_(message.position));
    page["delay"] = delay_part(message, environment_);
    const auto bounds = environment_.view->queues().bounds(message.queue);
    page["queueBounds"] = {{"first", bounds.first.value()}, {"last", bounds.last.value()}};

    page["groups"] = groups_part(message, *copied, environment_);
    answer["message"] = std::move(page);
    return text(answer);
}

} // namespace holdfast::actors
