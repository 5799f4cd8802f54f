// Raft without I/O (Ongaro's thesis): who leads, in which term; what each follower has; what is committed.
//
// It owns term, vote, configuration, the terms of the log's stretches and the leader's view of its followers.
// The log itself is somebody else's (broker/replica), who tells it what was appended, truncated and flushed.
// No clock: monotonic time comes in. No randomness but a seeded one. Every function adds what is to be done
// to an `actions`.
//
// Indexes are byte positions: the end of an entry. An entry is committed when a majority of the members has
// flushed it and it belongs to the leader's own term, or lies before one that does (3.6.2). The leader's own
// flush counts like any other and need not be among the majority (10.2.1).
//
// Section by section: elections 3.4; log matching 3.5 (term_runs); election restriction 3.6.1; commitment
// 3.6.2; membership, one member at a time 4.1; leases against disruptive servers 4.2.3; transfer 3.10;
// check-quorum 6.2; read index 6.4; pre-vote 9.6.
#pragma once

#include "base/ids.hpp"
#include "consensus/message.hpp"
#include "consensus/progress.hpp"
#include "consensus/term_runs.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace holdfast::consensus {

enum class role : std::uint8_t { follower, candidate, leader };
[[nodiscard]] const char* to_string(role which);

// The greatest position that a majority of members has reached. `reached` holds one position a member.
[[nodiscard]] log_position majority_position(std::vector<log_position> reached);

struct raft_settings {
    member self;
    std::vector<std::string> peers; // the other nodes the group shall have; empty = a group of one
    steady_ms heartbeat_interval{100};
    steady_ms election_timeout{1'000};       // and up to half as much again, at random
    std::uint64_t window_bytes = 16U << 20U; // sent to one follower and not yet flushed there
    // To followers that are far behind so much more than the log grows meanwhile; all there is when it rests.
    std::uint64_t catch_up_bytes_per_s = 32U << 20U;
    std::uint64_t seed = 1;
    bool may_lead = true; // false: its log is one, but it has no state to answer from
};

// What must survive a crash besides the log (thesis figure 3.1).
struct hard_vote {
    term_number term;
    std::string vote; // a name; empty = nobody in this term
    friend bool operator==(const hard_vote&, const hard_vote&) = default;
};

// What the log says when it is opened.
struct log_summary {
    log_position end;
    log_position commit; // known to be committed
    term_runs runs;
    std::vector<member> members; // of the last configuration in the log; empty when there is none
};

// Entries to send: as many from `first` on as `most_bytes` allow, at least one. (Whether one that is larger
// can be sent now, request_for() says.)
struct entries_wanted {
    std::string to;
    log_position first;
    std::uint64_t most_bytes = 0;
};

struct actions {
    // On disk before anything else here is carried out; nothing of it is when that fails.
    std::optional<hard_vote> persist;
    std::vector<message> messages;
    std::vector<entries_wanted> wanted;
    bool has_won = false; // append the leadership's first entry, then call lead_from()
    bool was_deposed = false;
};

class raft {
  public:
    raft(raft_settings settings, hard_vote persisted, log_summary log);

    // --- events ---
    void start(steady_ms now, actions& out);
    void tick(steady_ms now, actions& out);
    // All but append_request and begin_request, which hear_leader() is for.
    void receive(const message& what, steady_ms now, actions& out);
    // One of these came: true when it is from the leader of the current term, whose word counts.
    [[nodiscard]] bool hear_leader(const message& what, steady_ms now, actions& out);
    // A node was reached. Its log is empty as far as it says itself.
    void peer_found(const member& who, bool has_empty_log, steady_ms now);
    // The connection to it broke: most likely it is gone.
    void peer_lost(const std::string& name, steady_ms now);
    // Whether this node still leads is asked of the others (6.4): another may lead since it last heard them.
    // One such round at a time; lost messages are made up for by the heartbeats.
    void ask_standing(steady_ms now, actions& out);
    // A majority followed this leader at some time since ask_standing().
    [[nodiscard]] bool standing_confirmed() const;
    // Leadership shall go to the best follower (3.10).
    void transfer(actions& out);
    // Leadership shall go to this follower, if it has all of the log at some moment of the next second or so
    // (election_timeout); else nothing happens.
    void transfer_to(const std::string& name, steady_ms now, actions& out);
    // This node takes no part any more: its disk failed. A leader hands over.
    void retire(actions& out);

    // --- the log's side ---
    void appended(log_position first, term_number term, log_position end);
    void truncated(log_position end);
    // The configuration of the log as it is now (4.1: it counts from when it is appended, committed or not).
    void set_members(std::vector<member> members);
    // The leadership's first entry ends here: only entries from here on commit by counting (3.6.2).
    void lead_from(log_position first_end);
    // The own disk has this much. True when commit() moved.
    bool flushed(log_position until);
    // A follower learns what is committed; never falls. True when commit() moved.
    bool follow_commit(log_position commit);

    // --- the leader's sending ---
    // Everything below `end` may be sent now.
    void replicate(log_position end, steady_ms now, actions& out);
    // What this follower lacks and may be sent now; it is then expected by request_for().
    [[nodiscard]] std::optional<entries_wanted> wants(const std::string& name);
    // The follower was to be sent what the log, which begins at `log_first` by now, no longer has: a refusal
    // that came late has led back there. True when it has that, and more, for certain: it goes on behind it.
    [[nodiscard]] bool go_on_at_matched(const std::string& name, log_position log_first);
    // What was asked for by `wanted`: the entries from `first` to `last`, none when they could not be had.
    // The request to send them in; nothing when it is out of date.
    [[nodiscard]] std::optional<message> request_for(const std::string& to, log_position first,
                                                     std::vector<shared_bytes> entries, log_position last,
                                                     steady_ms now);

    // --- membership (4.1) ---
    // The next configuration that replaces a member whose disk was wiped by the node that has its name now,
    // when that has caught up: first without the old one, then with the new one. Nothing while another change
    // is not committed. `lag_bytes`: how close is close enough.
    [[nodiscard]] std::optional<std::vector<member>>
    next_members(log_position members_end, std::uint64_t lag_bytes, steady_ms now) const;

    [[nodiscard]] role current_role() const { return role_; }
    [[nodiscard]] term_number term() const { return vote_.term; }
    [[nodiscard]] log_position commit() const { return commit_; }
    [[nodiscard]] const std::string& leader() const { return leader_; } // a name; empty = unknown
    [[nodiscard]] const std::vector<member>& members() const { return members_; }
    [[nodiscard]] const term_runs& runs() const { return runs_; }
    [[nodiscard]] const member& self() const { return settings_.self; }
    [[nodiscard]] bool is_member() const;
    // The node that was last heard under this name is one of the members, not one that took its name.
    [[nodiscard]] bool is_member(const std::string& name) const;
    // The first entry of the own term is committed: what is committed is known exactly (6.4).
    [[nodiscard]] bool commits_own_term() const { return role_ == role::leader && commit_ >= own_term_from_; }
    [[nodiscard]] const std::map<std::string, progress>& followers() const { return progress_; }
    [[nodiscard]] message make(const std::string& to, message_body body) const {
        return {settings_.self, to, vote_.term, std::move(body)};
    }

  private:
    static constexpr log_position never{UINT64_MAX};
    struct peer {
        std::string incarnation;
        bool has_empty_log = false;
    };

    void on(const vote_request& asked, const message& from, steady_ms now, actions& out);
    void on(const vote_answer& answer, const message& from, steady_ms now, actions& out);
    void on(const append_answer& answer, const message& from, steady_ms now, actions& out);
    void on(const timeout_now& asked, const message& from, steady_ms now, actions& out);

    bool refuses_term(const message& what, steady_ms now) const;
    void enter_term(term_number term, steady_ms now, actions& out);
    void follow(steady_ms now, actions& out);
    void ask_for_votes(bool is_pre_vote, bool is_transfer, steady_ms now, actions& out);
    void count_votes(steady_ms now, actions& out);
    void win(steady_ms now, actions& out);
    void step_down_without_quorum(steady_ms now, actions& out);
    void note_growth(std::uint64_t appended, steady_ms now);
    void earn_catch_up(std::uint64_t appended, steady_ms now);
    [[nodiscard]] bool is_far_behind(const progress& to) const;
    [[nodiscard]] std::uint64_t window_left(const progress& to) const;
    [[nodiscard]] bool fits(const progress& to, std::uint64_t entry_bytes) const;
    void give_lead(const std::string& name, steady_ms now, actions& out);
    void send_heartbeats(steady_ms now, actions& out);
    void send_to(const std::string& name, progress& to, steady_ms now, actions& out);
    void send_request(const std::string& name, progress& to, steady_ms now, actions& out);
    void form_group(steady_ms now);
    bool advance_commit();
    void restart_election_timer(steady_ms now, steady_ms base);
    [[nodiscard]] bool has_heard_leader(steady_ms now) const;
    [[nodiscard]] bool has_majority(std::size_t count) const { return count > members_.size() / 2; }
    [[nodiscard]] const member* find_member(const std::string& name) const;
    [[nodiscard]] std::uint64_t random();

    const raft_settings settings_;
    hard_vote vote_;
    term_runs runs_;
    log_position end_;
    log_position flushed_;
    log_position commit_;
    log_position own_term_from_; // end of the leadership's first entry
    std::vector<member> members_;

    role role_ = role::follower;
    std::string leader_;
    std::map<std::string, peer> peers_; // that are connected now
    std::set<std::string> votes_;
    bool is_pre_voting_ = false;
    bool is_retired_ = false;
    std::map<std::string, progress> progress_; // of a leader
    log_position sendable_;                    // of a leader
    // Of a leader, for those that are far behind: when they last earned something, and how fast the log
    // grows.
    steady_ms catch_up_earned_{0};
    steady_ms growth_since_{0};
    std::uint64_t grown_bytes_ = 0; // since then
    bool is_quiet_ = false;
    // Of a leader: who shall lead instead as soon as it has everything, and until when that is wanted.
    std::string giving_to_;
    steady_ms giving_until_{0};
    steady_ms election_due_{0};
    steady_ms leader_heard_{0};
    std::uint64_t random_;
};

} // namespace holdfast::consensus
