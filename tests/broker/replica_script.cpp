#include "tests/broker/replica_script.hpp"

#include "tests/broker/delivery_script.hpp"

#include "broker/replica.hpp"
#include "protocol/stored_message.hpp"
#include "storage/entry.hpp"

#include <gtest/gtest.h>

#include <charconv>
#include <map>
#include <sstream>

namespace holdfast::broker::testing {
namespace {

// `name key=value key=value...`
struct script_line {
    std::string name;
    std::vector<std::pair<std::string, std::string>> arguments;

    explicit script_line(const std::string& text) {
        std::istringstream words{text};
        words >> name;
        for (std::string word; words >> word;) {
            const auto equals = word.find('=');
            arguments.emplace_back(word.substr(0, equals),
                                   equals == std::string::npos ? "" : word.substr(equals + 1));
        }
    }
    [[nodiscard]] std::uint64_t number(std::string_view key, std::uint64_t otherwise) const {
        for (const auto& [name_of, value] : arguments)
            if (name_of == key)
                return std::stoull(value);
        return otherwise;
    }
};

std::string kind_name(command_kind kind) {
    switch (kind) {
    case command_kind::message:
        return "message";
    case command_kind::topic_put:
        return "topic_put";
    case command_kind::topic_delete:
        return "topic_delete";
    case command_kind::leadership:
        return "leadership";
    case command_kind::idle_mark:
        return "idle_mark";
    case command_kind::half:
        return "half";
    case command_kind::decisions:
    case command_kind::packed_decisions:
        return "decision";
    case command_kind::half_checks:
        return "half_check";
    case command_kind::delayed:
        return "delayed";
    case command_kind::deliveries:
        return "delivery";
    case command_kind::delayed_cancel:
        return "cancellation";
    case command_kind::queue_locks:
        return "lock";
    default:
        return "command " + std::to_string(static_cast<int>(kind));
    }
}

class script_runner {
  public:
    std::string run(const std::string& script) {
        std::istringstream lines{script};
        bool skipping = false; // the old expectations of a block
        for (std::string line; std::getline(lines, line);) {
            if (line.empty())
                skipping = false;
            if (skipping)
                continue;
            out_ << line << '\n';
            if (line == "----") {
                skipping = true;
                continue;
            }
            if (line.empty() || line.front() == '#')
                continue;
            pending_ = script_line{line};
            if (!std::getline(lines, line) || line != "----") {
                ADD_FAILURE() << "an event must be followed by ----, not by: " << line;
                return out_.str();
            }
            out_ << line << '\n';
            skipping = true;
            step();
        }
        return out_.str();
    }

  private:
    void step() {
        const auto& line = pending_;
        if (line.name == "replica")
            return make(line);
        if (!replica_) {
            ADD_FAILURE() << "a script begins with: replica";
            return;
        }
        if (line.name == "started")
            print(replica_->step(started{}));
        else if (line.name == "stopping")
            print(replica_->step(stopping{}));
        else if (line.name == "flush-failed")
            print(replica_->step(flush_failed{{errc::io_failed, "the disk says no"}}));
        else if (line.name == "idled")
            print(replica_->step(idled{timestamp_ms{static_cast<std::int64_t>(line.number("now", 0))}}));
        else if (line.name == "flushed")
            print(replica_->step(
                entries_flushed{log_position{line.number("until", 0)},
                                log_position{line.number("durable", line.number("until", 0))}}));
        else if (line.name == "batches")
            print(replica_->step(batches(line)));
        else
            ADD_FAILURE() << "no such event: " << line.name;
    }

    void make(const script_line& line) {
        const auto segment = line.number("segment", 1U << 20U);
        const log_position next{line.number("next", 0)};
        replica_log log;
        log.applied.next = recovered_until_ = next;
        log.applied.timestamp = timestamp_ms{static_cast<std::int64_t>(line.number("time", 0))};
        log.applied.last_checksum = last_checksum_ = 0xC0FFEE;
        log.applied.geometry = {log_position{align_down(next.value(), segment)}, segment, segment};
        log.vote.term = term_number{line.number("term", 0)};
        state recovered;
        topic_config topic;
        topic.name = "T";
        topic.id = topic_id{1};
        recovered.restore_topic(topic);
        recovered.restore_next_topic_id(topic_id{2});
        const auto flushes = static_cast<unsigned>(line.number("flushes", 1));
        replica_settings settings;
        settings.raft.self = {"a", "of a"};
        settings.max_entry_size = line.number("max-entry", segment);
        settings.flushes_at_once = flushes;
        replica_.emplace(std::move(settings), std::move(log), std::move(recovered));
        print(effects{});
    }

    batches_received batches(const script_line& line) const {
        batches_received received;
        received.now = timestamp_ms{static_cast<std::int64_t>(line.number("now", 0))};
        for (const auto& [ticket, what] : line.arguments) {
            if (ticket == "now")
                continue;
            append_batch batch;
            batch.ticket = batch_ticket{std::stoull(ticket)};
            fill(batch.draft, what);
            received.batches.push_back(std::move(batch));
        }
        return received;
    }

    void fill(entry_draft& draft, const std::string& what) const {
        if (deliveries_.fill(draft, what))
            return;
        if (what.starts_with("topic:")) {
            topic_config topic;
            topic.name = what.substr(6);
            draft.add(command_kind::topic_put, encode(topic));
        } else if (what.starts_with("delete:")) {
            draft.add(command_kind::topic_delete, what.substr(7));
        } else {
            char by = 0;
            char at = 0;
            char slash = 0;
            std::uint32_t count = 0;
            std::size_t size = 0;
            std::uint32_t topic = 1;
            std::uint32_t queue = 0;
            std::istringstream in{what};
            in >> count >> by >> size;
            if (in >> at)
                in >> topic >> slash >> queue;
            while (count-- > 0) {
                const auto record = draft.add_message({topic_id{topic}, queue_number{queue}}, 0, size);
                std::fill(record.begin(), record.end(), std::byte{0});
            }
        }
    }

    void print(const effects& done) {
        if (done.persist)
            out_ << "persist term " << done.persist->term << ", vote " << done.persist->vote << '\n';
        if (done.flush)
            print(*done.flush);
        for (const auto& batch : done.applied) {
            out_ << "applied " << batch.ticket << " at " << batch.position << " offsets";
            for (const auto offset : batch.offsets)
                out_ << ' ' << offset;
            out_ << '\n';
        }
        for (const auto& batch : done.rejected)
            out_ << "rejected " << batch.ticket << ": " << batch.reason << '\n';
        for (const auto& run : done.changes.runs)
            out_ << "run " << run.queue.topic << '/' << run.queue.queue << " first " << run.first << " count "
                 << run.entries.size() << '\n';
        for (const auto& change : done.changes.facts) {
            if (const auto* const put = std::get_if<topic_put>(&change))
                out_ << "topic " << put->topic->name << " is " << put->topic->id << '\n';
            else if (const auto* const deleted = std::get_if<topic_deleted>(&change))
                out_ << "topic " << deleted->topic->name << " is gone\n";
        }
        deliveries_.print(done.changes, out_);
        if (done.fenced)
            out_ << "fenced: " << *done.fenced << '\n';
        out_ << "marks appended " << replica_->appended() << " flushed " << replica_->flushed()
             << " committed " << replica_->committed() << " applied " << replica_->applied() << '\n';
        EXPECT_LE(replica_->flushed(), replica_->appended());
        EXPECT_LE(replica_->committed(), replica_->flushed());
        EXPECT_LE(replica_->applied(), std::max(replica_->committed(), recovered_until_));
    }

    void print(const flush_request& request) {
        out_ << "flush [" << request.first << ", " << request.until << ')';
        if (request.lane != 0)
            out_ << " in lane " << request.lane;
        out_ << '\n';
        for (const auto& entry : request.entries) {
            const auto decoded = storage::decode_entry(entry.view());
            if (!decoded.ok()) {
                ADD_FAILURE() << "the flusher is given a bad entry: " << decoded.failure();
                return;
            }
            EXPECT_EQ(decoded->previous_checksum, last_checksum_) << "the chain is broken";
            last_checksum_ = decoded->checksum;
            out_ << "  " << decoded->position << ' ' << contents(*decoded, entry.view()) << ", term "
                 << decoded->term << ", time " << decoded->timestamp << ", flushed " << decoded->flushed
                 << '\n';
        }
    }

    static std::string contents(const storage::entry_header& header, byte_view entry) {
        if (header.is_filler())
            return "filler";
        std::map<std::string, int> kinds;
        command_cursor cursor{entry, storage::entry_header_size};
        while (!cursor.done()) {
            const auto command = cursor.next();
            EXPECT_TRUE(command.ok());
            if (!command.ok())
                break;
            ++kinds[kind_name(command->header.kind)];
            if (command->header.kind == command_kind::message)
                check_record(header, *command);
        }
        std::string text;
        for (const auto& [kind, count] : kinds)
            text += (text.empty() ? "" : " and ") + std::to_string(count) + " " + kind;
        return text;
    }

    static void check_record(const storage::entry_header& header, const command_view& command) {
        using namespace protocol::stored_message_at;
        EXPECT_EQ(load_big<std::uint64_t>(command.payload.data() + physical_offset),
                  (header.position + command.payload_offset).value());
        EXPECT_EQ(load_big<std::int64_t>(command.payload.data() + store_timestamp), header.timestamp.value());
    }

    std::ostringstream out_;
    script_line pending_{""};
    std::optional<replica> replica_;
    delivery_script deliveries_;
    std::uint32_t last_checksum_ = 0;
    log_position recovered_until_; // applied before the replica was there
};

} // namespace

std::string run_replica_script(const std::string& script) {
    return script_runner{}.run(script);
}

} // namespace holdfast::broker::testing
