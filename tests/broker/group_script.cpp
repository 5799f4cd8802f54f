#include "tests/broker/group_script.hpp"

#include "broker/replica.hpp"
#include "storage/entry.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <sstream>
#include <vector>

namespace holdfast::broker::testing {
namespace {

constexpr std::uint64_t segment_bytes = 1U << 20U;

struct scripted_node {
    std::string name;
    unsigned life = 1; // of its disk
    std::vector<std::string> peers;
    steady_ms now{0};
    std::map<log_position, shared_bytes> disk; // its log, entry by entry
    consensus::hard_vote vote;
    std::optional<replica> running;
    std::vector<flush_request> flushing;
    consensus::role role = consensus::role::follower;
    log_position committed;

    [[nodiscard]] consensus::member member() const { return {name, name + std::to_string(life)}; }
};

std::string describe(const consensus::message_body& body) {
    std::ostringstream out;
    if (const auto* const asked = std::get_if<consensus::vote_request>(&body))
        out << (asked->is_pre_vote ? "pre-vote?" : "vote?")
            << (asked->is_transfer ? " by the leader's wish" : "") << " log " << asked->log_end << " of term "
            << asked->last_term;
    else if (const auto* const vote = std::get_if<consensus::vote_answer>(&body))
        out << (vote->is_pre_vote ? "pre-vote " : "vote ") << (vote->is_granted ? "yes" : "no");
    else if (const auto* const append = std::get_if<consensus::append_request>(&body))
        out << "append " << append->entries.size() << " behind " << append->previous_end << " of term "
            << append->previous_term << ", commit " << append->commit;
    else if (const auto* const answer = std::get_if<consensus::append_answer>(&body)) {
        if (answer->is_matched)
            out << "flushed " << answer->flushed;
        else
            out << "no, my log ends at " << answer->log_end << ", committed " << answer->commit;
        for (const auto& run : answer->runs)
            out << ", term " << run.term << " from " << run.first;
    } else if (std::holds_alternative<consensus::timeout_now>(body))
        out << "stand for election";
    else
        out << "begin anew";
    return out.str();
}

class group_runner {
  public:
    std::string run(const std::string& script) {
        std::istringstream lines{script};
        bool skipping = false; // the old expectations of a block
        for (std::string line; std::getline(lines, line);) {
            skipping = skipping && !line.empty();
            if (skipping)
                continue;
            out_ << line << '\n';
            if (line.empty() || line.front() == '#')
                continue;
            const auto event = line;
            if (!std::getline(lines, line) || line != "----") {
                ADD_FAILURE() << "an event must be followed by ----: " << event;
                return out_.str();
            }
            out_ << line << '\n';
            skipping = true;
            happen(event);
        }
        return out_.str();
    }

  private:
    void happen(const std::string& event) {
        std::istringstream words{event};
        std::string what;
        std::string whom;
        words >> what >> whom;
        if (what == "group")
            return make(whom, words);
        if (what == "settle")
            return settle();
        if (what == "status")
            return print_status();
        if (what == "deliver" || what == "drop")
            return move_messages(whom.empty() ? "*>*" : whom, what == "deliver");
        const auto found = nodes_.find(whom);
        if (found == nodes_.end()) {
            ADD_FAILURE() << "no such event or node: " << event;
            return;
        }
        auto& node = found->second;
        if (what == "tick") {
            long milliseconds = 0;
            words >> milliseconds;
            node.now += steady_ms{milliseconds};
            step(node, ticked{node.now});
        } else if (what == "flush") {
            flush(node);
        } else if (what == "send") {
            send(node);
        } else if (what == "ask") {
            step(node, standing_asked{standing_ticket{++questions_}, node.now});
        } else if (what == "give") {
            std::string to;
            words >> to;
            step(node, lead_given{to});
        } else if (what == "room") {
            std::uint64_t until = 0;
            const bool is_limited = static_cast<bool>(words >> until);
            step(node, room_changed{is_limited ? std::optional{log_position{until}} : std::nullopt});
        } else if (what == "stop") {
            step(node, stopping{});
        } else if (what == "crash" || what == "wipe") {
            crash(node, what == "wipe");
        } else if (what == "restart") {
            start(node);
        } else {
            ADD_FAILURE() << "no such event: " << event;
        }
    }

    // --- nodes ---
    void make(std::string name, std::istringstream& words) {
        do
            if (name.starts_with("window="))
                window_bytes_ = std::stoull(name.substr(7));
            else
                nodes_[name].name = name;
        while (words >> name);
        for (auto& [name_of, node] : nodes_)
            for (const auto& [other, unused] : nodes_)
                if (other != name_of)
                    node.peers.push_back(other);
        for (auto& [name_of, node] : nodes_)
            start(node);
    }

    void start(scripted_node& node) {
        replica_settings settings;
        settings.raft.self = node.member();
        settings.raft.peers = node.peers;
        settings.raft.window_bytes = window_bytes_;
        settings.raft.seed = static_cast<std::uint64_t>(node.name.front());
        settings.max_entry_size = segment_bytes;
        replica_log log;
        log.applied.geometry = {log_position{0}, segment_bytes, segment_bytes};
        log.vote = node.vote;
        for (const auto& [position, entry] : node.disk)
            log.unapplied.push_back(entry);
        node.running.emplace(std::move(settings), std::move(log), known_state());
        node.role = consensus::role::follower;
        node.committed = node.running->committed();
        step(node, started{node.now});
        for (auto& [name, other] : nodes_)
            if (other.running && name != node.name) {
                meet(node, other);
                meet(other, node);
            }
    }

    // As a state that was restored from a derived store: there is a topic.
    static state known_state() {
        state known;
        topic_config topic;
        topic.name = "T";
        topic.id = topic_id{1};
        known.restore_topic(topic);
        known.restore_next_topic_id(topic_id{2});
        return known;
    }

    void meet(scripted_node& node, const scripted_node& other) {
        step(node, peer_found{other.member(),
                              other.disk.empty() && other.running->appended() == log_position{0}, node.now});
    }

    void crash(scripted_node& node, bool is_wiped) {
        node.running.reset();
        node.flushing.clear();
        if (is_wiped) {
            ++node.life;
            node.disk.clear();
            node.vote = {};
        }
        for (auto& [name, other] : nodes_)
            if (other.running)
                step(other, peer_lost{node.name, other.now});
    }

    void send(scripted_node& node) {
        batches_received received;
        append_batch batch;
        batch.ticket = batch_ticket{++tickets_};
        const auto record = batch.draft.add_message({topic_id{1}, queue_number{0}}, 0, 100);
        std::fill(record.begin(), record.end(), std::byte{0});
        received.batches.push_back(std::move(batch));
        step(node, std::move(received));
    }

    void flush(scripted_node& node) {
        for (const auto& request : std::exchange(node.flushing, {})) {
            for (const auto& entry : request.entries)
                node.disk[storage::decode_entry_header(entry.view())->position] = entry;
            step(node, entries_flushed{request.until, request.until});
        }
    }

    // --- what they do ---
    void step(scripted_node& node, event what) {
        if (!node.running)
            return;
        auto done = node.running->step(std::move(what));
        if (done.persist) {
            node.vote = *done.persist;
            say(node) << "saves term " << node.vote.term << ", vote "
                      << (node.vote.vote.empty() ? "-" : node.vote.vote) << '\n';
        }
        if (done.was_deposed)
            say(node) << "leads no more\n";
        print_role(node);
        if (done.flush) {
            say(node) << "writes [" << done.flush->first << ", " << done.flush->until << ")\n";
            node.flushing.push_back(std::move(*done.flush));
        }
        if (done.fenced)
            say(node) << "is fenced: " << *done.fenced << '\n';
        for (auto& message : done.messages) {
            say(node, message.to) << describe(message.body) << ", term " << message.term << '\n';
            under_way_.push_back(std::move(message));
        }
        for (const auto& batch : done.rejected)
            say(node) << "refuses it: " << batch.reason.message << '\n';
        for (const auto& batch : done.applied)
            say(node) << "answers message " << batch.ticket << '\n';
        for (const auto& told : done.standings)
            say(node, "", true) << "answers question " << told.ticket << ": it "
                                << (told.is_leading ? "leads" : "can't say") << '\n';
        if (std::exchange(node.committed, node.running->committed()) != node.committed)
            say(node, "", true) << "has committed " << node.committed << '\n';
        if (done.truncate) {
            say(node) << "cuts its log at " << *done.truncate << '\n';
            node.disk.erase(node.disk.lower_bound(*done.truncate), node.disk.end());
            step(node, log_truncated{*done.truncate});
        }
        for (const auto& wanted : done.reads)
            read(node, wanted);
    }

    void read(scripted_node& node, const consensus::entries_wanted& wanted) {
        entries_read found{wanted.to, wanted.first, wanted.first, {}};
        for (auto at = node.disk.find(wanted.first); at != node.disk.end(); ++at) {
            found.entries.push_back(at->second);
            found.last = storage::decode_entry_header(at->second.view())->next();
        }
        step(node, std::move(found));
    }

    void print_role(scripted_node& node) {
        const auto role = node.running->raft().current_role();
        if (std::exchange(node.role, role) != role && role == consensus::role::leader)
            say(node, "", true) << "leads in term " << node.running->term() << '\n';
    }

    // --- messages ---
    void move_messages(const std::string& which, bool arrive) {
        const auto from = which.substr(0, which.find('>'));
        const auto to = which.substr(which.find('>') + 1);
        for (const auto& message : take_messages(from, to)) {
            auto& receiver = nodes_.at(message.to);
            if (!arrive || !receiver.running)
                continue;
            auto copy = message;
            if (auto* const request = std::get_if<consensus::append_request>(&copy.body))
                for (auto& entry : request->entries) // whose flush mark is the receiver's own
                    entry = shared_bytes::copy_of(entry.view());
            step(receiver, message_received{std::move(copy), receiver.now});
        }
    }

    std::vector<consensus::message> take_messages(const std::string& from, const std::string& to) {
        std::vector<consensus::message> taken;
        std::vector<consensus::message> left;
        for (auto& message : under_way_)
            ((from == "*" || message.from.name == from) && (to == "*" || message.to == to) ? taken : left)
                .push_back(std::move(message));
        under_way_ = std::move(left);
        return taken;
    }

    void settle() {
        is_brief_ = true;
        for (int rounds = 0; rounds < 50; ++rounds) {
            move_messages("*>*", true);
            for (auto& [name, node] : nodes_)
                flush(node);
        }
        is_brief_ = false;
        EXPECT_TRUE(under_way_.empty()) << "they never come to rest";
    }

    // --- words ---
    std::ostream& say(const scripted_node& node, const std::string& to = "", bool is_great_news = false) {
        if (is_brief_ && !is_great_news)
            return nothing_;
        out_ << node.name;
        if (!to.empty())
            out_ << '>' << to << ':';
        return out_ << ' ';
    }

    void print_status() {
        for (const auto& [name, node] : nodes_) {
            if (!node.running) {
                out_ << name << " is off\n";
                continue;
            }
            const auto& raft = node.running->raft();
            out_ << name << ' ' << to_string(raft.current_role()) << ", term " << raft.term() << ", log "
                 << node.running->appended() << ", flushed " << node.running->flushed() << ", committed "
                 << node.running->committed() << ", members";
            for (const auto& member : raft.members())
                out_ << ' ' << member.incarnation;
            out_ << '\n';
        }
    }

    std::map<std::string, scripted_node> nodes_;
    std::vector<consensus::message> under_way_;
    std::uint64_t window_bytes_ = segment_bytes;
    std::uint64_t tickets_ = 0;
    std::uint64_t questions_ = 0;
    bool is_brief_ = false;
    std::ostringstream out_;
    std::ostream nothing_{nullptr};
};

} // namespace

std::string run_group_script(const std::string& script) {
    return group_runner{}.run(script);
}

} // namespace holdfast::broker::testing
