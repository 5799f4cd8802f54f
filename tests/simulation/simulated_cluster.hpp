// A group of nodes in one thread and one virtual time: each with its own disk, clock and process, over a
// network that does its worst. One seed is one run, exactly.
//
// The nodes are simulated_nodes, so broker::replica, the real log and the real recovery; what their actors
// would do with disk and network is done here, late and in any order. Every step of every node goes through
// the checker. The first problem ends the run.
#pragma once

#include "broker/log_clock.hpp"
#include "tests/simulation/cluster_checker.hpp"
#include "tests/simulation/run_digest.hpp"
#include "tests/simulation/simulated_mender.hpp"
#include "tests/simulation/simulated_network.hpp"
#include "tests/storage/simulated_disk.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <random>
#include <string>
#include <vector>

namespace holdfast::simulation {

struct cluster_settings {
    std::uint64_t seed = 1;
    std::size_t nodes = 3;
    bool sync = true; // false: ASYNC_FLUSH, so the power never goes, only processes end
    // Stories for a build with a mistake: longer, and without what would end its process when it goes wrong.
    bool is_canary = false;
};

// How often the rare things happened.
struct cluster_marks {
    std::uint64_t answered = 0;
    std::uint64_t power_cuts = 0;
    std::uint64_t processes_ended = 0;
    std::uint64_t fenced = 0;
    std::uint64_t leaders = 0;
    std::uint64_t votes_refused = 0;
    std::uint64_t pre_votes_refused = 0;
    std::uint64_t truncations = 0;
    std::uint64_t deposed = 0;
    std::uint64_t without_quorum = 0; // deposed by nobody but itself
    std::uint64_t rejections = 0;     // with runs, of a log that parts
    std::uint64_t old_reads = 0;      // for followers that are behind
    std::uint64_t transfers = 0;
    std::uint64_t wiped = 0;
    std::uint64_t replaced = 0; // a wiped node became a member again
    std::uint64_t unknown_outcomes = 0;
    std::uint64_t rot_refused = 0;     // by a start
    std::uint64_t rot_found_later = 0; // by an audit
    std::uint64_t trims = 0;           // answered
    std::uint64_t begun_anew = 0;      // left behind by a trim
    std::uint64_t seeded = 0;          // and fed until there was a state again
    std::uint64_t committed = 0;       // transactions
    std::uint64_t rolled_back = 0;     // likewise
    std::uint64_t late_decisions = 0;  // about what is decided
    std::uint64_t wrong_decisions = 0;
    std::uint64_t deliveries = 0; // with messages
    std::uint64_t cancelled = 0;
    std::uint64_t clock_jumps = 0;
    std::uint64_t full_disks = 0;      // that a node met
    std::uint64_t starts_too_full = 0; // of a process, that it ended
    std::uint64_t left_for_room = 0;   // followers that took nothing more, and fell behind
    std::uint64_t offsets_told = 0;    // to who asked for a group's
    std::uint64_t ends_told = 0;       // to who asked for a queue's
    std::uint64_t not_told = 0;        // by who could not be sure
    std::uint64_t old_stores = 0;      // starts with an older derived store than the last
    std::uint64_t lost_stores = 0;     // with none
    std::uint64_t five_nodes = 0;      // clusters
    std::uint64_t failed_reads = 0;
    std::uint64_t mended = 0;        // stretches of rotten logs
    std::uint64_t mended_starts = 0; // that were refused first
    std::uint64_t mended_in_use = 0; // repairs of nodes that served meanwhile
    std::uint64_t unrepaired = 0;    // nobody could prove what stood there
    network_marks network;
};

class simulated_cluster {
  public:
    using action = std::function<void()>;
    using answer_action = std::function<void(const broker::applied_batch&)>;
    using question_action = std::function<void(const simulated_node&)>;

    simulated_cluster(const cluster_settings& settings, cluster_marks& marks);

    // --- time ---
    [[nodiscard]] virtual_ms now() const { return now_; }
    void after(virtual_ms delay, action what);
    // Until then, or until the first problem.
    void run_until(virtual_ms end);
    [[nodiscard]] const std::string& problem() const { return problem_; }
    void report(std::string problem);

    // --- nodes ---
    [[nodiscard]] std::size_t size() const { return hosts_.size(); }
    [[nodiscard]] const simulated_node* node(std::size_t which) const { return hosts_[which].node.get(); }
    // The one that leads in the latest term, ready to answer.
    [[nodiscard]] std::optional<std::size_t> leader() const;
    void power_off(std::size_t which, virtual_ms until_on);
    void end_process(std::size_t which, virtual_ms until_restart);
    void hand_over(std::size_t which); // the stop of a careful operator, up to the end of its process
    void pause(std::size_t which, virtual_ms length);
    void wipe(std::size_t which, virtual_ms until_on);
    // Its wall clock is set.
    void jump_clock(std::size_t which, std::chrono::milliseconds by);
    // The power goes, and meanwhile some of the log rots; or it does so under a node that serves.
    void rot(std::size_t which, virtual_ms until_on);
    void rot_in_use(std::size_t which);
    void checkpoint(std::size_t which);
    // What retention does on the leader, as far as nothing that is there is needed any more.
    void trim(std::size_t which);
    void idle(std::size_t which);
    storage::simulated_disk& disk(std::size_t which) { return *hosts_[which].disk; }
    // For a while only so much more can be written.
    void fill_disk(std::size_t which, std::uint64_t room_bytes, virtual_ms length);
    // For a while the node knows that there is room for no more.
    void run_short(std::size_t which, virtual_ms length);
    // For a while some byte of the log can't be read.
    void spoil_reads(std::size_t which, virtual_ms length);
    void repair_disks();
    // All are up, and members as they are now; all know it.
    [[nodiscard]] bool has_all_members() const;
    // This disk may be lost now: all are members, none is left behind by a trim, which would have to begin
    // anew and is as good as lost, and no other is rotten.
    [[nodiscard]] bool may_lose_disk_of(std::size_t which) const;
    // All are up and have applied all that there is.
    [[nodiscard]] bool has_all_applied() const;
    [[nodiscard]] std::string describe() const;

    // A vote was just given, and is on its way: who gave it, to whom.
    void when_voting(std::function<void(std::size_t, std::size_t)> what) { on_vote_ = std::move(what); }

    // A leader has committed something just now.
    void when_committing(std::function<void(std::size_t)> what) { on_commit_ = std::move(what); }

    // --- clients ---
    // `answer` is called when it is answered OK, and never otherwise. The number of what was sent; 0 when
    // that node is not there.
    std::uint64_t send(std::size_t to, broker::entry_draft draft, answer_action answer);
    // What is there as that node has it, and what is not: `then` looks when it is sure that it leads.
    void ask(std::size_t to, question_action then);

    // --- network ---
    simulated_network& network() { return network_; }
    // The connections that can't work break, and both sides hear of it. Without it, a cut is silence.
    void break_cut_connections();
    void break_connection(std::size_t one, std::size_t other);

    cluster_checker& checker() { return checker_; }
    cluster_marks& marks() { return marks_; }
    // The time that a running node's log is written with.
    [[nodiscard]] timestamp_ms log_time(std::size_t which);
    // Reads all logs from their beginning, and compares the states.
    void check_everything();
    // Of every action up to now, and of all that the nodes did.
    [[nodiscard]] std::uint64_t digest() const { return digest_.value(); }

  private:
    struct connection {
        std::uint64_t life = 0; // of the other node's process
        bool has_empty_log = false;
        friend bool operator==(const connection&, const connection&) = default;
    };
    struct host {
        std::string name;
        unsigned lives = 0; // as how many members
        std::unique_ptr<storage::simulated_disk> disk;
        node_settings settings;
        derived_copy derived;
        derived_copy older_derived;            // the one before
        std::optional<log_position> begins_at; // the next process begins its log anew
        double clock_rate = 1;
        std::int64_t clock_start = 0;
        std::chrono::milliseconds wall_ahead{0};
        std::optional<broker::log_clock> log_clock;  // of its process
        std::unique_ptr<simulated_node> node;        // null: off, or
        std::unique_ptr<simulated_mender> mender;    // in its place, before it can start
        std::optional<storage::hard_state> identity; // only then, as it was when that began
        std::uint64_t life = 0;                      // counts the processes
        virtual_ms paused_until{0};
        bool has_led = false;
        bool was_ready = false; // to answer, as the leader
        bool is_ending = false;
        bool was_wiped = false;
        bool is_rotten = false;
        bool is_full = false;
        bool lacks_room = false;
        std::optional<log_position> room_until; // as its process was told
        bool is_left = false;                   // it has fallen behind by that
        bool reads_fail = false;
        std::optional<log_position> flushed_before; // it rotted, and the next start
        term_number term;
        std::map<std::uint64_t, answer_action> waiting;  // by ticket
        std::map<std::uint64_t, question_action> asking; // likewise
        std::map<std::size_t, connection> connections;   // those it was told of
    };
    struct timed_action {
        virtual_ms at;
        std::uint64_t number;
        action what;
        friend bool operator<(const timed_action& one, const timed_action& other) { // the first is greatest
            return one.at != other.at ? one.at > other.at : one.number > other.number;
        }
    };

    std::uint64_t pick(std::uint64_t below) { return random_() % below; }
    virtual_ms pick_ms(std::uint64_t first, std::uint64_t last) {
        return virtual_ms{static_cast<std::int64_t>(first + pick(last - first))};
    }
    [[nodiscard]] consensus::steady_ms clock_of(const host& one) const;
    [[nodiscard]] std::chrono::microseconds wall_time(const host& one) const;
    void new_disk(host& one);
    static void repair_disk(host& one);
    void tell_room(host& one);
    static void become_another(host& one);
    void replace_disk(std::size_t which);
    void start_anew(std::size_t which, log_position first);
    bool follow_ends(std::size_t which, const simulated_node::outcomes& outcomes);
    void start(std::size_t which);
    void age_store(host& one);
    void leave(std::size_t which);
    // Does it in this process of the node, when it is not paused; then looks at what came of it.
    void with(std::size_t which, std::uint64_t life, std::function<void(simulated_node&)> what);
    void soon(std::size_t which, virtual_ms delay, std::function<void(simulated_node&)> what);
    void settle(std::size_t which);
    void note(std::size_t which, const simulated_node::outcomes& outcomes);
    void watch(std::size_t which, const simulated_node::outcomes& outcomes);
    void answer(std::size_t which, const simulated_node::outcomes& outcomes);
    void use_disk(std::size_t which, const simulated_node::outcomes& outcomes);
    void post(std::size_t from, const consensus::message& what);
    void note(const consensus::message& what);
    void tick(std::size_t which, std::uint64_t life);
    void connect();
    std::string check_log(std::size_t which);

    // --- rot ---
    void damage(host& one, log_position place, log_position limit);
    [[nodiscard]] simulated_mender::send_action sending_of(std::size_t which);
    void mend(std::size_t which);
    void tick_mender(std::size_t which, std::uint64_t life);
    void follow_mender(std::size_t which);
    void end_repaired_start(std::size_t which, const broker::repair_end& end);
    void end_repair_in_use(std::size_t which, const broker::repair_end& end);
    void look_for_rot(std::size_t which, std::uint64_t life);
    bool post_bytes(std::size_t from, std::size_t to, const std::string& head,
                    const std::vector<std::byte>& body);
    void receive_bytes(std::size_t from, std::size_t to, const std::string& head,
                       const std::vector<std::byte>& body);

    const cluster_settings settings_;
    cluster_marks& marks_;
    std::mt19937_64 random_;
    simulated_network network_;
    cluster_checker checker_;
    run_digest digest_;
    std::vector<host> hosts_;
    std::priority_queue<timed_action> actions_;
    std::uint64_t next_number_ = 0;
    std::uint64_t next_ticket_ = 1;
    virtual_ms now_{0};
    log_position trimmed_; // the furthest that was ever planned
    std::function<void(std::size_t, std::size_t)> on_vote_;
    std::function<void(std::size_t)> on_commit_;
    std::string problem_;
};

} // namespace holdfast::simulation
