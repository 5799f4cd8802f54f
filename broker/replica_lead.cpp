// What a replica does for its followers when it leads.
#include "broker/command.hpp"
#include "broker/members.hpp"
#include "broker/replica.hpp"

#include <algorithm>
#include <utility>

namespace holdfast::broker {

// Thesis 3.6.2: a new leader appends an entry of its own term at once, so that everything before it commits.
void replica::lead(effects& out) {
    const bool is_first = members_.empty() && !settings_.raft.peers.empty();
    entry_draft draft{raft_.self().name.size() + command_footprint(0)};
    draft.add(command_kind::leadership, raft_.self().name);
    if (is_first) // the log says from its beginning whose it is
        draft.add(command_kind::members, encode(raft_.members()));
    append(std::move(draft), std::nullopt, tail_.timestamp,
           is_first ? storage::members_flag : std::uint16_t{0});
    raft_.lead_from(tail_.next);
    start_flush(out);
}

void replica::append_members(std::vector<consensus::member> members) {
    entry_draft draft;
    draft.add(command_kind::members, encode(members));
    append(std::move(draft), std::nullopt, tail_.timestamp, storage::members_flag);
}

// To every follower what it lacks of what the flusher has, too.
void replica::replicate(effects& out) {
    consensus::actions actions;
    raft_.replicate(handed_, now_, actions);
    for (const auto& wanted : actions.wanted)
        supply(wanted, out);
    pass_on(actions.messages, out);
}

// Retention takes whole segments.
log_position replica::log_first() const {
    return log_position{align_down(state_.first_position().value(), tail_.geometry.size)};
}

// Where one goes on that has nothing of what is still here. It is not asked for what it lacks first: who has
// confirmed nothing yet may seem to have a window full on its way. And one without room refuses nothing, so
// nothing would lead back to where it stopped; by beginning anew it gets room.
void replica::begin_if_left(const consensus::message& from, const consensus::append_answer& answer,
                            effects& out) {
    const auto found = raft_.followers().find(from.from.name);
    if (!leading() || found == raft_.followers().end() ||
        found->second.incarnation != from.from.incarnation || found->second.matched >= log_first() ||
        (answer.is_matched ? answer.log_end : found->second.next) >= log_first())
        return;
    out.messages.push_back(raft_.make(from.from.name, consensus::begin_request{log_first()}));
}

// From memory what is not applied yet; the rest is in the cache or on the disk, which others read.
void replica::supply(const consensus::entries_wanted& wanted, effects& out) {
    auto wants = wanted;
    if (wants.first < log_first()) {
        if (!raft_.go_on_at_matched(wants.to, log_first())) {
            out.messages.push_back(raft_.make(wants.to, consensus::begin_request{log_first()}));
            return;
        }
        const auto more = raft_.wants(wants.to);
        if (!more)
            return;
        wants = *more;
    }
    for (;;) {
        const auto from = std::lower_bound(
            unapplied_.begin(), unapplied_.end(), wants.first,
            [](const pending_entry& entry, log_position position) { return entry.position < position; });
        if (from == unapplied_.end() || from->position != wants.first) {
            out.reads.push_back(wants);
            return;
        }
        std::vector<shared_bytes> entries;
        std::uint64_t bytes = 0;
        auto last = wants.first;
        for (auto at = from; at != unapplied_.end() && at->position < handed_; ++at) {
            if (!entries.empty() && bytes + at->bytes.size() > wants.most_bytes)
                break;
            bytes += at->bytes.size();
            entries.push_back(at->bytes);
            last = at->after.next;
        }
        if (auto request = raft_.request_for(wants.to, wants.first, std::move(entries), last, now_))
            out.messages.push_back(std::move(*request));
        const auto more = raft_.wants(wants.to);
        if (!more)
            return;
        wants = *more;
    }
}

void replica::on(entries_read& happened, effects& out) {
    if (auto request =
            raft_.request_for(happened.to, happened.first, std::move(happened.entries), happened.last, now_))
        out.messages.push_back(std::move(*request));
    if (const auto more = raft_.wants(happened.to))
        supply(*more, out);
}

void replica::on(const standing_asked& happened, effects& out) {
    now_ = happened.now;
    if (!ready())
        return out.standings.push_back({happened.ticket, false});
    ask_next_.push_back(happened.ticket);
    ask_standing(out);
}

// A question that came later than its round's messages left is not answered by them.
void replica::ask_standing(effects& out) {
    if (!asking_.empty() || ask_next_.empty())
        return;
    asking_ = std::exchange(ask_next_, {});
    consensus::actions actions;
    raft_.ask_standing(now_, actions);
    pass_on(actions.messages, out);
    settle_standing(out);
}

void replica::settle_standing(effects& out) {
    if (asking_.empty())
        return;
    const bool is_leading = raft_.standing_confirmed();
    if (leading() && !is_leading)
        return;
    for (const auto ticket : std::exchange(asking_, {}))
        out.standings.push_back({ticket, is_leading});
    if (is_leading)
        return ask_standing(out);
    for (const auto ticket : std::exchange(ask_next_, {}))
        out.standings.push_back({ticket, false});
}

void replica::on(const lead_given& happened, effects& out) {
    consensus::actions actions;
    raft_.transfer_to(happened.to, now_, actions);
    pass_on(actions.messages, out);
}

// Thesis 3.10: the others need not find out by a time-out that this node is gone.
void replica::hand_over_when_done(effects& out) {
    if (!stopping_ || !leading() || applied() != tail_.next)
        return;
    consensus::actions actions;
    raft_.transfer(actions);
    pass_on(actions.messages, out);
}

} // namespace holdfast::broker
