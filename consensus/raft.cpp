#include "consensus/raft.hpp"

#include "base/check.hpp"

#include <algorithm>
#include <functional>
#include <limits>
#include <utility>

namespace holdfast::consensus {
namespace {

constexpr log_position never{std::numeric_limits<std::uint64_t>::max()};
// One request carries at most about so much; a single larger entry goes alone.
constexpr std::uint64_t request_bytes = 1U << 20U;

// To one that is far behind it goes in smaller pieces and with fewer on the way: as fast as its disk takes
// them, but the others' requests wait for no large one, and neither do their disks (they may share one).
constexpr std::uint64_t far_behind_bytes = 4U << 20U;
constexpr std::uint64_t catch_up_request_bytes = 256U << 10U;
constexpr std::uint64_t catch_up_window_bytes = 2U << 20U;

} // namespace

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

log_position majority_position(std::vector<log_position> reached) {
    HOLDFAST_CHECK(!reached.empty());
    const auto majority =
        reached.size() / 2; // the place, from the front, that more than half stand at or before
    std::nth_element(reached.begin(), reached.begin() + static_cast<std::ptrdiff_t>(majority), reached.end(),
                     std::greater<>{});
    return reached[majority];
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

// --- elections
// ----------------------------------------------------------------------------------------------

void raft::ask_for_votes(bool is_pre_vote, bool is_transfer, steady_ms now, actions& out) {
    follow(now, out);
    role_ = role::candidate;
    is_pre_voting_ = is_pre_vote;
    if (!is_pre_vote) {
        vote_ = {vote_.term + 1, settings_.self.name};
        out.persist = vote_;
    }
    votes_ = {settings_.self.name};
    for (const auto& one : members_) {
        if (one == settings_.self)
            continue;
        vote_request asked{is_pre_vote, is_transfer, end_, runs_.last(), one.incarnation};
        auto request = make(one.name, asked);
        if (is_pre_vote)
            ++request.term;
        out.messages.push_back(std::move(request));
    }
    count_votes(now, out);
}

// Thesis 3.4 and 3.6.1. The vote is on disk before the answer leaves: `persist` comes first.
void raft::on(const vote_request& asked, const message& from, steady_ms now, actions& out) {
    const bool is_up_to_date =
        asked.last_term > runs_.last() || (asked.last_term == runs_.last() && asked.log_end >= end_);
    const bool is_me = asked.voter_incarnation == settings_.self.incarnation;
    bool grants = is_me && is_up_to_date && (asked.is_transfer || !has_heard_leader(now));
    if (asked.is_pre_vote)
        grants = grants && from.term > vote_.term;
    else
        grants = grants && from.term == vote_.term && (vote_.vote.empty() || vote_.vote == from.from.name);
    if (grants && !asked.is_pre_vote) {
        if (vote_.vote.empty()) {
            vote_.vote = from.from.name;
            out.persist = vote_;
        }
        restart_election_timer(now, settings_.election_timeout);
    }
    auto answer = make(from.from.name, vote_answer{asked.is_pre_vote, grants});
    if (grants)
        answer.term = from.term;
    out.messages.push_back(std::move(answer));
}

void raft::on(const vote_answer& answer, const message& from, steady_ms now, actions& out) {
    if (role_ != role::candidate || answer.is_pre_vote != is_pre_voting_ || !answer.is_granted ||
        from.term != vote_.term + (is_pre_voting_ ? 1U : 0U))
        return;
    const auto* const voter = find_member(from.from.name);
    if (voter == nullptr || *voter != from.from)
        return;
    votes_.insert(from.from.name);
    count_votes(now, out);
}

void raft::count_votes(steady_ms now, actions& out) {
    if (role_ != role::candidate || !has_majority(votes_.size()))
        return;
    if (is_pre_voting_)
        ask_for_votes(false, false, now, out);
    else
        win(now, out);
}

void raft::win(steady_ms now, actions& out) {
    role_ = role::leader;
    leader_ = settings_.self.name;
    own_term_from_ = never;
    progress_.clear();
    for (const auto& name : settings_.peers) {
        progress follower;
        follower.next = end_;
        follower.heard = now;
        follower.sent = now - settings_.heartbeat_interval;
        if (const auto* const known = find_member(name))
            follower.incarnation = known->incarnation;
        progress_.emplace(name, follower);
    }
    sendable_ = end_;
    out.has_won = true;
}

void raft::on(const timeout_now&, const message& from, steady_ms now, actions& out) {
    if (from.term == vote_.term && role_ == role::follower && is_member() && settings_.may_lead)
        ask_for_votes(false, true, now, out);
}

// A group is formed once: when all its nodes say that they have never had anything. So a node that lost its
// disk can't form a new group with others that did, while one of them still has the data.
void raft::form_group(steady_ms now) {
    if (end_ != log_position{0} || !runs_.all().empty() || peers_.size() != settings_.peers.size())
        return;
    std::vector<member> all{settings_.self};
    for (const auto& [name, one] : peers_) {
        if (!one.has_empty_log)
            return;
        all.push_back({name, one.incarnation});
    }
    std::sort(all.begin(), all.end());
    if (all == members_)
        return;
    members_ = std::move(all);
    restart_election_timer(now, steady_ms{0});
}

void raft::peer_found(const member& who, bool has_empty_log, steady_ms now) {
    if (std::find(settings_.peers.begin(), settings_.peers.end(), who.name) == settings_.peers.end())
        return;
    peers_[who.name] = {who.incarnation, has_empty_log};
    form_group(now);
    const auto follower = progress_.find(who.name);
    if (follower == progress_.end())
        return;
    auto& to = follower->second;
    to.is_probing = true; // what was on its way may be lost
    to.is_reading = false;
    to.rewound_at = to.sequence;
    to.sent = now - settings_.heartbeat_interval;
    if (to.incarnation != who.incarnation) {
        to.incarnation = who.incarnation;
        to.matched = log_position{0};
    }
    to.next = end_;
}

void raft::peer_lost(const std::string& name, steady_ms now) {
    peers_.erase(name);
    if (name != leader_ || role_ == role::leader)
        return;
    // Its lease is over with its process, as far as can be seen from here; the pre-vote asks the others.
    leader_heard_ = now - settings_.election_timeout;
    election_due_ =
        now + steady_ms{static_cast<std::int64_t>(
                  random() % static_cast<std::uint64_t>(settings_.heartbeat_interval.count() + 1))};
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

// --- leading
// ------------------------------------------------------------------------------------------------

void raft::lead_from(log_position first_end) {
    HOLDFAST_CHECK(role_ == role::leader);
    own_term_from_ = first_end;
}

bool raft::flushed(log_position until) {
    flushed_ = std::max(flushed_, until);
    return role_ == role::leader && advance_commit();
}

bool raft::advance_commit() {
    std::vector<log_position> reached;
    reached.reserve(members_.size());
    for (const auto& one : members_) {
        if (one == settings_.self) {
            reached.push_back(flushed_);
            continue;
        }
        const auto found = progress_.find(one.name);
        const bool counts = found != progress_.end() && found->second.incarnation == one.incarnation;
        reached.push_back(counts ? found->second.matched : log_position{0});
    }
    const auto candidate = majority_position(std::move(reached));
    // An entry of an earlier term is committed only by a later one of this term (thesis 3.6.2, figure 3.7).
    if (candidate <= commit_ || candidate < own_term_from_)
        return false;
    commit_ = candidate;
    return true;
}

void raft::on(const append_answer& answer, const message& from, steady_ms now, actions& out) {
    if (role_ != role::leader || from.term != vote_.term)
        return;
    const auto found = progress_.find(from.from.name);
    if (found == progress_.end())
        return;
    auto& to = found->second;
    if (to.incarnation != from.from.incarnation) {
        to.incarnation = from.from.incarnation;
        to.matched = log_position{0};
    }
    to.heard = now;
    if (answer.is_matched) {
        // A member that claims more than there is has another log: it is not counted.
        if (answer.flushed > end_)
            return;
        to.matched = std::max(to.matched, answer.flushed);
        if (to.is_probing && answer.sequence > to.rewound_at) {
            to.is_probing = false;
            to.next = std::max(to.next, to.matched);
        }
        advance_commit();
    } else if (answer.sequence > to.rewound_at) {
        to.next = agreement(runs_, end_, answer.runs, answer.log_end, std::min(answer.commit, end_));
        to.rewound_at = to.sequence;
        to.is_probing = false; // the logs agree there, and nowhere beyond
        to.is_reading = false;
    }
    send_to(from.from.name, to, now, out);
}

void raft::send_heartbeats(steady_ms now, actions& out) {
    for (auto& [name, to] : progress_) {
        if (now - to.sent >= settings_.heartbeat_interval) {
            to.is_reading = false; // it may have been lost on the way
            send_request(name, to, now, out);
        }
        send_to(name, to, now, out);
    }
}

void raft::send_request(const std::string& name, progress& to, steady_ms now, actions& out) {
    to.sent = now;
    out.messages.push_back(
        make(name, append_request{to.next, runs_.term_before(to.next), commit_, ++to.sequence, {}}));
}

void raft::replicate(log_position end, steady_ms now, actions& out) {
    if (role_ != role::leader)
        return;
    sendable_ = end;
    for (auto& [name, to] : progress_)
        send_to(name, to, now, out);
}

void raft::send_to(const std::string& name, progress& to, steady_ms now, actions& out) {
    if (to.is_probing) {
        if (now - to.sent >= settings_.heartbeat_interval)
            send_request(name, to, now, out);
        return;
    }
    if (auto wanted = wants(name))
        out.wanted.push_back(std::move(*wanted));
}

std::optional<entries_wanted> raft::wants(const std::string& name) {
    const auto found = progress_.find(name);
    if (found == progress_.end())
        return std::nullopt;
    auto& to = found->second;
    if (to.is_probing || to.is_reading || to.next >= sendable_ || !peers_.contains(name))
        return std::nullopt;
    const bool is_far_behind = sendable_ - to.next > far_behind_bytes;
    const auto window =
        is_far_behind ? std::min(settings_.window_bytes, catch_up_window_bytes) : settings_.window_bytes;
    const auto under_way = to.next > to.matched ? to.next - to.matched : 0;
    if (under_way >= window)
        return std::nullopt;
    to.is_reading = true;
    return entries_wanted{
        name, to.next, std::min(is_far_behind ? catch_up_request_bytes : request_bytes, window - under_way)};
}

std::optional<message> raft::request_for(const std::string& to, log_position first,
                                         std::vector<shared_bytes> entries, log_position last,
                                         steady_ms now) {
    const auto found = progress_.find(to);
    if (role_ != role::leader || found == progress_.end() || found->second.is_probing ||
        !found->second.is_reading || found->second.next != first)
        return std::nullopt;
    auto& follower = found->second;
    if (entries.empty())
        return std::nullopt; // stays "reading" until the next heartbeat: no busy loop over what can't be had
    follower.is_reading = false;
    follower.next = last;
    follower.sent = now;
    return make(to, append_request{first, runs_.term_before(first), commit_, ++follower.sequence,
                                   std::move(entries)});
}

// Asked again until another node leads: the word may get lost.
void raft::transfer(actions& out) {
    if (role_ != role::leader)
        return;
    const std::string* best = nullptr;
    log_position reached;
    for (const auto& [name, to] : progress_) {
        const auto* const known = find_member(name);
        if (known == nullptr || known->incarnation != to.incarnation || to.matched < commit_ ||
            !peers_.contains(name) || (best != nullptr && to.matched <= reached))
            continue;
        best = &name;
        reached = to.matched;
    }
    if (best == nullptr)
        return;
    out.messages.push_back(make(*best, timeout_now{}));
}

void raft::retire(actions& out) {
    if (is_retired_)
        return;
    transfer(out);
    is_retired_ = true;
    if (role_ == role::leader)
        out.was_deposed = true;
    role_ = role::follower;
    leader_.clear();
    progress_.clear();
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

// --- membership
// ---------------------------------------------------------------------------------------------

void raft::set_members(std::vector<member> members) {
    members_ = std::move(members);
}

std::optional<std::vector<member>> raft::next_members(log_position members_end, std::uint64_t lag_bytes,
                                                      steady_ms now) const {
    if (!commits_own_term() || members_end > commit_)
        return std::nullopt;
    for (const auto& [name, to] : progress_) {
        const bool is_here = peers_.contains(name) && !to.incarnation.empty() && !to.is_probing &&
                             now - to.heard <= settings_.election_timeout;
        const auto* const known = find_member(name);
        if (!is_here || end_ - std::min(to.matched, end_) > lag_bytes || to.matched < own_term_from_ ||
            (known != nullptr && known->incarnation == to.incarnation))
            continue;
        auto next = members_;
        if (known != nullptr)
            std::erase(next, *known);
        else
            next.push_back({name, to.incarnation});
        std::sort(next.begin(), next.end());
        return next;
    }
    return std::nullopt;
}

} // namespace holdfast::consensus
