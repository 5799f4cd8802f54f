#include "consensus/raft.hpp"

#include "base/check.hpp"

#include <algorithm>
#include <functional>
#include <limits>
#include <utility>

namespace holdfast::consensus {
const char* to_string(role which) {
    switch (which) {
    case role::follower:
        return "follower";
    case role::candidate:
        return "candidate";
    case role::leader:
        return "leader";
    }
    return "unknown";
}

raft::raft(raft_settings settings, hard_vote persisted, log_summary log)
    : settings_(std::move(settings)),
      vote_(std::move(persisted)),
      runs_(std::move(log.runs)),
      end_(log.end),
      flushed_(log.end),
      commit_(log.commit),
      own_term_from_(never),
      members_(std::move(log.members)),
      random_(settings_.seed) {
    if (settings_.peers.empty() && members_.empty())
        members_ = {settings_.self};
}

// --- time
// ---------------------------------------------------------------------------------------------------

void raft::start(steady_ms now, actions& out) {
    if (vote_.term < runs_.last()) // an entry is as durable as the vote's file
        vote_ = {runs_.last(), {}};
    leader_heard_ = now - settings_.election_timeout;
    restart_election_timer(now, settings_.election_timeout);
    // Nobody else is to be asked.
    if (is_member() && members_.size() == 1)
        ask_for_votes(false, false, now, out);
}

void raft::tick(steady_ms now, actions& out) {
    if (is_retired_)
        return;
    if (role_ == role::leader) {
        step_down_without_quorum(now, out);
        if (role_ == role::leader)
            send_heartbeats(now, out);
        return;
    }
    if (now < election_due_)
        return;
    restart_election_timer(now, settings_.election_timeout);
    // One that was removed, or has not caught up yet, would only disturb (4.2.2).
    if (is_member() && settings_.may_lead)
        ask_for_votes(true, false, now, out);
}

void raft::restart_election_timer(steady_ms now, steady_ms base) {
    const auto spread = static_cast<std::uint64_t>(settings_.election_timeout.count()) / 2 + 1;
    election_due_ = now + base + steady_ms{static_cast<std::int64_t>(random() % spread)};
}

// xorshift64*: only has to differ between nodes.
std::uint64_t raft::random() {
    if (random_ == 0)
        random_ = 0x9E3779B97F4A7C15U;
    random_ ^= random_ >> 12U;
    random_ ^= random_ << 25U;
    random_ ^= random_ >> 27U;
    return (random_ * 0x2545F4914F6CDD1DU) >> 16U;
}

// Thesis 6.2: a leader that a majority does not answer any more may have been replaced without knowing it.
void raft::step_down_without_quorum(steady_ms now, actions& out) {
    std::size_t heard = 0;
    for (const auto& one : members_) {
        const auto found = progress_.find(one.name);
        const bool is_self = one == settings_.self;
        if (is_self || (found != progress_.end() && found->second.incarnation == one.incarnation &&
                        now - found->second.heard <= settings_.election_timeout))
            ++heard;
    }
    if (!has_majority(heard))
        follow(now, out);
}

// --- terms and roles
// ----------------------------------------------------------------------------------------

bool raft::is_member() const {
    return std::find(members_.begin(), members_.end(), settings_.self) != members_.end();
}

bool raft::is_member(const std::string& name) const {
    const auto heard = progress_.find(name);
    const auto* const known = find_member(name);
    return heard != progress_.end() && known != nullptr && known->incarnation == heard->second.incarnation;
}

const member* raft::find_member(const std::string& name) const {
    const auto found =
        std::find_if(members_.begin(), members_.end(), [&](const member& one) { return one.name == name; });
    return found == members_.end() ? nullptr : &*found;
}

bool raft::has_heard_leader(steady_ms now) const {
    return role_ == role::leader || (!leader_.empty() && now - leader_heard_ < settings_.election_timeout);
}

void raft::follow(steady_ms now, actions& out) {
    if (role_ == role::leader) {
        out.was_deposed = true;
        progress_.clear();
        own_term_from_ = never;
    }
    role_ = role::follower;
    leader_.clear();
    votes_.clear();
    restart_election_timer(now, settings_.election_timeout);
}

void raft::enter_term(term_number term, steady_ms now, actions& out) {
    HOLDFAST_CHECK(term > vote_.term);
    follow(now, out);
    vote_ = {term, {}};
    out.persist = vote_;
}

// A message of a later term makes this node follow, except where that would let a node that the others can't
// hear well depose a leader they do hear: pre-votes change nothing (9.6), and while a leader was heard within
// the election timeout nobody is voted for unless that leader wants it (4.2.3, 3.10).
bool raft::refuses_term(const message& what, steady_ms now) const {
    if (const auto* const answer = std::get_if<vote_answer>(&what.body))
        return answer->is_pre_vote && answer->is_granted;
    const auto* const asked = std::get_if<vote_request>(&what.body);
    return asked != nullptr && (asked->is_pre_vote || (!asked->is_transfer && has_heard_leader(now)) ||
                                asked->voter_incarnation != settings_.self.incarnation);
}

void raft::receive(const message& what, steady_ms now, actions& out) {
    if (is_retired_)
        return;
    if (what.term > vote_.term && !refuses_term(what, now))
        enter_term(what.term, now, out);
    std::visit(
        [&](const auto& body) {
            using kind = std::decay_t<decltype(body)>;
            if constexpr (!std::is_same_v<kind, append_request> && !std::is_same_v<kind, begin_request>)
                on(body, what, now, out);
        },
        what.body);
}

// --- following
// ----------------------------------------------------------------------------------------------

bool raft::hear_leader(const message& what, steady_ms now, actions& out) {
    if (is_retired_)
        return false;
    if (what.term < vote_.term) {
        // It learns the later term from the answer, and steps down.
        out.messages.push_back(make(what.from.name, append_answer{}));
        return false;
    }
    if (what.term > vote_.term)
        enter_term(what.term, now, out);
    HOLDFAST_CHECK(role_ != role::leader); // at most one leader a term (3.4)
    if (role_ == role::candidate)
        follow(now, out);
    leader_ = what.from.name;
    leader_heard_ = now;
    restart_election_timer(now, settings_.election_timeout);
    return true;
}

bool raft::follow_commit(log_position commit) {
    if (commit <= commit_)
        return false;
    commit_ = commit;
    return true;
}

// --- the log
// ------------------------------------------------------------------------------------------------

void raft::appended(log_position first, term_number term, log_position end) {
    runs_.note(first, term);
    end_ = end;
}

void raft::truncated(log_position end) {
    HOLDFAST_CHECK(end >= commit_);
    runs_.truncate(end);
    end_ = end;
    flushed_ = std::min(flushed_, end);
}

} // namespace holdfast::consensus
