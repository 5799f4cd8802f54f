#include "tests/simulation/cluster_clients.hpp"

#include "protocol/names.hpp"
#include "tests/broker/unpacked_decisions.hpp"

#include <algorithm>

namespace holdfast::simulation {
namespace {

using broker::command_kind;

constexpr std::uint32_t most_topics = 4;
constexpr std::uint32_t queues = 2;
constexpr std::size_t most_due = 4;

// The last one takes the halves that nobody decides.
std::string topic_name(std::uint32_t number) {
    return number + 1 == most_topics ? std::string{protocol::check_exhausted_topic} : std::to_string(number);
}

std::optional<queue_offset> stored_offset(const simulated_node& node, queue_key queue) {
    const auto& all = node.replica().current().offsets();
    const auto group = all.find(durability_checker::group);
    if (group == all.end())
        return std::nullopt;
    const auto found = group->second.find(queue);
    return found == group->second.end() ? std::nullopt : std::optional{found->second};
}

} // namespace

cluster_clients::cluster_clients(simulated_cluster& cluster, std::uint64_t seed, bool is_plain)
    : cluster_(cluster),
      random_(seed),
      has_transactions_(pick(3) != 0 && !is_plain),
      has_delays_(pick(3) == 0 && !is_plain) {}

void cluster_clients::act() {
    // Also to one that leads no more and does not know it, or never did.
    const auto leader = cluster_.leader();
    const auto to = leader && pick(4) != 0 ? *leader : static_cast<std::size_t>(pick(cluster_.size()));
    const auto what = pick(20);
    if (what == 0)
        return cluster_.idle(to);
    if (topics_ == 0 || (what == 1 && topics_ < most_topics))
        return send_topic(to);
    if (what == 2)
        return send_commit(to);
    if (what == 3)
        return cluster_.checkpoint(static_cast<std::size_t>(pick(cluster_.size())));
    if (has_transactions_ && what < 7)
        return send_halves(to);
    if (has_transactions_ && what < 11)
        return send_decisions(to);
    if (has_transactions_ && what == 11)
        return send_checks(to);
    if (has_delays_ && what < 14)
        return send_delayed(to);
    if (has_delays_ && what == 14)
        return call_back();
    send_messages(to);
}

// Most of all those that were replaced and do not know it.
void cluster_clients::ask() {
    if (topics_ == 0)
        return;
    const auto leader = cluster_.leader();
    auto to = leader && pick(2) == 0 ? *leader : static_cast<std::size_t>(pick(cluster_.size()));
    for (std::size_t node = 0; node < cluster_.size(); ++node)
        if (node != leader && cluster_.node(node) != nullptr && cluster_.node(node)->replica().ready())
            to = node;
    if (pick(2) == 0)
        ask_offset(to);
    else
        ask_end(to);
}

void cluster_clients::try_out(std::size_t leader) {
    if (topics_ == 0)
        send_topic(leader);
    else
        send_messages(leader);
}

// Topics get their ids in the order in which they are made, so number n has id n + 1.
void cluster_clients::send_topic(std::size_t to) {
    const auto number = topics_;
    broker::topic_config config;
    config.name = topic_name(number);
    broker::entry_draft draft;
    draft.add(command_kind::topic_create, broker::encode(config));
    cluster_.send(to, std::move(draft), [this, number](const auto&) {
        cluster_.report(cluster_.checker().topic_answered(topic_name(number)));
        topics_ = std::max(topics_, number + 1);
    });
}

queue_key cluster_clients::some_queue() {
    return {topic_id{1 + static_cast<std::uint32_t>(pick(topics_))},
            queue_number{static_cast<std::uint32_t>(pick(queues))}};
}

void cluster_clients::send_commit(std::size_t to) {
    const auto queue = some_queue();
    auto& next = commits_sent_[queue];
    next += 1 + static_cast<std::int64_t>(pick(3));
    broker::entry_draft draft;
    draft.add(command_kind::offsets_commit, broker::encode(std::vector<broker::offset_commit>{
                                                {durability_checker::group, queue, queue_offset{next}}}));
    cluster_.send(to, std::move(draft), [this, queue, committed = queue_offset{next}](const auto&) {
        cluster_.report(cluster_.checker().commit_answered(queue, committed));
    });
}

// A group's offset, or that it has none. From nothing stored it would go on at the end (trap T1).
void cluster_clients::ask_offset(std::size_t to) {
    const auto queue = some_queue();
    cluster_.ask(to, [this, queue, least = cluster_.checker().least_offset(queue)](const auto& node) {
        ++cluster_.marks().offsets_told;
        cluster_.report(cluster_.checker().offset_told(queue, least, stored_offset(node, queue)));
    });
}

void cluster_clients::ask_end(std::size_t to) {
    const auto queue = some_queue();
    cluster_.ask(to, [this, queue, least = cluster_.checker().least_end(queue)](const auto& node) {
        ++cluster_.marks().ends_told;
        cluster_.report(cluster_.checker().end_told(queue, least, node.view().end_of(queue)));
    });
}

// --- records
// ------------------------------------------------------------------------------------------------

drafted_message cluster_clients::add_record(broker::entry_draft& draft, command_kind kind, std::size_t size,
                                            std::span<std::byte>& trailer) {
    const drafted_message message{next_name_++, some_queue(), draft.next_payload()};
    const auto record = record_size(size);
    const auto to = kind == command_kind::message
                        ? draft.add_message(message.queue, 0, record)
                        : draft.add_record(kind, message.queue, 0, record + broker::trailer_bytes(kind));
    write_record(to.first(record), message.name, message.queue, size);
    trailer = to.subspan(record);
    return message;
}

void cluster_clients::remember(const std::vector<drafted_message>& messages,
                               const broker::applied_batch& batch) {
    cluster_.report(cluster_.checker().answered(messages, batch));
    ++messages_answered_;
}

void cluster_clients::send_messages(std::size_t to) {
    broker::entry_draft draft;
    std::vector<drafted_message> messages;
    const auto largest = pick(5) == 0 ? 3'000U : 300U;
    std::span<std::byte> trailer;
    for (auto count = 1 + pick(3); count > 0; --count)
        messages.push_back(add_record(draft, command_kind::message, pick(largest), trailer));
    cluster_.send(to, std::move(draft), [this, messages = std::move(messages)](const auto& batch) {
        remember(messages, batch);
        for (std::size_t i = 0; i < messages.size(); ++i)
            cluster_.checker().message_known(messages[i].queue, batch.offsets.at(i));
    });
}

void cluster_clients::send_halves(std::size_t to) {
    broker::entry_draft draft;
    std::vector<drafted_message> messages;
    std::span<std::byte> trailer;
    for (auto count = 1 + pick(2); count > 0; --count) {
        messages.push_back(add_record(draft, pick(4) == 0 ? command_kind::half : command_kind::lean_half,
                                      pick(300), trailer));
        broker::encode(broker::half_trailer{-1, 0, 0}, trailer.data());
    }
    cluster_.send(to, std::move(draft), [this, messages = std::move(messages)](const auto& batch) {
        remember(messages, batch);
        for (const auto& message : messages)
            halves_.push_back({batch.position + message.place});
    });
}

// Also about what others decide at the same moment, or have decided long ago; and some with words that are
// not the half's.
void cluster_clients::send_decisions(std::size_t to) {
    std::vector<broker::decision> decisions;
    for (auto count = 1 + pick(3); count > 0 && !halves_.empty(); --count) {
        auto which = pick(halves_.size());
        for (auto tries = 0; tries < 3 && halves_[which].is_decided; ++tries)
            which = pick(halves_.size());
        const auto half = halves_[which].position;
        broker::decision made{half, static_cast<std::int64_t>(half.value()), broker::group_checksum_of(""),
                              pick(3) == 0 ? broker::decision_kind::rollback : broker::decision_kind::commit};
        made.number += pick(20) == 0 ? 8 : 0;
        made.group_checksum += pick(20) == 0 ? 1 : 0;
        decisions.push_back(made);
    }
    if (decisions.empty())
        return send_halves(to);
    broker::entry_draft draft;
    // Only older builds wrote those that can't be any half's.
    if (std::all_of(decisions.begin(), decisions.end(), broker::may_name_a_half))
        draft.add(command_kind::packed_decisions, broker::encode(decisions));
    else
        draft.add(command_kind::decisions, broker::testing::encode_unpacked(decisions));
    cluster_.send(to, std::move(draft), [this, decisions = std::move(decisions)](const auto& batch) {
        remember(decisions, batch);
    });
}

void cluster_clients::remember(const std::vector<broker::decision>& decisions,
                               const broker::applied_batch& batch) {
    for (std::size_t i = 0; i < decisions.size(); ++i) {
        const auto outcome = batch.offsets.at(i);
        auto& marks = cluster_.marks();
        if (outcome >= queue_offset{0})
            ++marks.committed;
        else if (outcome == broker::decision_outcome::rolled_back)
            ++marks.rolled_back;
        else if (outcome == broker::decision_outcome::not_pending)
            ++marks.late_decisions;
        else
            ++marks.wrong_decisions;
        const auto known = std::find_if(halves_.begin(), halves_.end(), [&](const known_half& half) {
            return half.position == decisions[i].half;
        });
        if (outcome > broker::decision_outcome::other_number)
            known->is_decided = true;
        cluster_.report(cluster_.checker().decision_answered(decisions[i].half, outcome));
    }
}

void cluster_clients::send_checks(std::size_t to) {
    if (halves_.empty())
        return;
    const auto half = halves_[pick(halves_.size())].position;
    // Nobody gives up before there is a topic for it.
    const bool gives_up = topics_ == most_topics && pick(3) == 0;
    broker::entry_draft draft;
    draft.add(command_kind::half_checks,
              broker::encode(std::vector<broker::half_check>{
                  {half, gives_up ? broker::half_check_kind::given_up : broker::half_check_kind::sent}}));
    cluster_.send(to, std::move(draft), [](const auto&) {});
}

// --- delays
// ----------------------------------------------------------------------------------------------------

void cluster_clients::send_delayed(std::size_t to) {
    broker::entry_draft draft;
    std::vector<drafted_message> messages;
    std::span<std::byte> trailer;
    for (auto count = 1 + pick(3); count > 0; --count) {
        messages.push_back(add_record(
            draft, pick(4) == 0 ? command_kind::delayed : command_kind::lean_delayed, pick(300), trailer));
        store_little(trailer.data(), -static_cast<std::int64_t>(1 + pick(pick(3) == 0 ? 6'000 : 300)));
    }
    cluster_.send(to, std::move(draft),
                  [this, messages = std::move(messages)](const auto& batch) { remember(messages, batch); });
}

// What the scheduler of a leader does: one delivery or cancellation at a time, made from what is applied. So
// none is ever refused, which a start behind a snapshot relies on (broker::state).
void cluster_clients::change_delays(std::size_t leader, broker::entry_draft draft, std::uint64_t* mark) {
    const auto term = cluster_.node(leader)->replica().term();
    delays_changed_in_.insert(term);
    const auto sent = cluster_.send(leader, std::move(draft), [this, mark, term](const auto& batch) {
        delays_changed_in_.erase(term);
        if (mark == nullptr)
            return;
        ++*mark;
        if (batch.offsets.at(0) < queue_offset{0})
            cluster_.report("outdated: a delivery that was made from what is applied is refused");
    });
    if (sent == 0) // it does not listen now
        delays_changed_in_.erase(term);
}

// Whoever leads, when nothing of its term is under way.
std::optional<std::size_t> cluster_clients::free_scheduler() const {
    const auto leader = cluster_.leader();
    return leader && !delays_changed_in_.contains(cluster_.node(*leader)->replica().term()) ? leader
                                                                                            : std::nullopt;
}

void cluster_clients::deliver() {
    const auto leader = free_scheduler();
    if (!leader)
        return;
    const auto& node = *cluster_.node(*leader);
    // Nothing is delivered ahead of the log's own time: a look that finds more writes an entry first.
    const auto due = node.view().due(node.replica().applied_time(), most_due);
    broker::entry_draft draft;
    if (!due.empty())
        draft.add(command_kind::deliveries,
                  broker::encode(broker::deliveries{node.replica().current().delay().version, due}));
    else if (!node.view().due(cluster_.log_time(*leader), 1).empty())
        draft.add(command_kind::idle_mark, byte_view{});
    else
        return;
    change_delays(*leader, std::move(draft), due.empty() ? nullptr : &cluster_.marks().deliveries);
}

std::string cluster_clients::delays_in_words() {
    const auto leader = cluster_.leader();
    if (!leader || cluster_.checker().delayed() == 0)
        return {};
    const auto& node = *cluster_.node(*leader);
    auto words = "; " + std::to_string(cluster_.checker().delayed()) + " delayed messages wait";
    if (const auto& waiting = node.view().delayed(); !waiting.empty())
        words += ", the first is due at " + std::to_string(waiting.begin()->first.due.value());
    return words + ", the log's time is " + std::to_string(node.replica().applied_time().value()) +
           ", the leader's " + std::to_string(cluster_.log_time(*leader).value()) +
           (free_scheduler() ? "" : ", a delivery is under way");
}

void cluster_clients::call_back() {
    const auto leader = free_scheduler();
    if (!leader || cluster_.node(*leader)->view().delayed().empty())
        return;
    const auto& node = *cluster_.node(*leader);
    const auto& waiting = node.view().delayed();
    const auto chosen = std::next(waiting.begin(), static_cast<std::ptrdiff_t>(pick(waiting.size())));
    broker::entry_draft draft;
    draft.add(command_kind::delayed_cancel, broker::encode(broker::cancellations{
                                                node.replica().current().delay().version, {chosen->first}}));
    change_delays(*leader, std::move(draft), &cluster_.marks().cancelled);
}

} // namespace holdfast::simulation
