// The producer_session actor: the sends of one connection and its decisions about transactions. Decodes and
// validates them, writes all of one read into one entry, and answers them when the commit log says that the
// entry is committed.
//
// Every send and decision ends in exactly one answer (none when oneway), or in a closed connection.
#pragma once

#include "actors/messages.hpp"
#include "actors/session_environment.hpp"
#include "base/byte_buffer.hpp"
#include "broker/delivery_records.hpp"
#include "broker/message_intake.hpp"

#include <deque>
#include <map>
#include <unordered_map>

namespace holdfast::actors {

class producer_session_state {
  public:
    void set_up(producer_session_actor::pointer self, connection_ptr connection,
                std::shared_ptr<const session_environment> environment);

    void frames(const session_frames& received);
    void outcomes(const std::vector<batch_outcome>& outcomes);
    void closed();

  private:
    // One send that waits for its entry.
    struct pending_send {
        protocol::answer_to answer;
        bool oneway = false;
        queue_number queue;
        std::uint32_t first_place = 0; // in `places`
        std::uint32_t messages = 0;
        std::string recall_handle; // of a message with a time of its own
    };
    // One decision whose sender wants to hear of it; clients do not, except Go (trap T9).
    struct asked_decision {
        std::size_t index = 0; // among the decisions of its entry
        protocol::answer_to answer;
        broker::decision decided;
        network::frame_batch frames; // of its request
        std::uint32_t frame = 0;
    };
    // The sends and decisions of one entry, the decisions last.
    struct pending_batch {
        std::uint64_t ticket = 0;
        std::vector<pending_send> sends;
        std::size_t decisions = 0;
        std::vector<asked_decision> asked;
        std::vector<std::uint32_t> places; // of each record within the entry
        std::size_t bytes = 0;
    };
    // Sends that wait for their topic to be made.
    struct held_frame {
        network::frame_batch frames;
        std::uint32_t index = 0;
    };
    struct topic_creation {
        std::string topic;
        std::vector<held_frame> held;
        std::size_t bytes = 0; // of their frames
    };

    void handle(const network::frame_batch& frames, std::uint32_t index);
    [[nodiscard]] std::optional<broker::refusal> redirect_retry(protocol::send_message_request& request);
    void take(const protocol::send_message_request& request, const broker::topic_config& topic,
              std::size_t frame_bytes);
    // producer_session_decisions.cpp
    void end_transaction(const network::frame_batch& frames, std::uint32_t index);
    void write_decisions();
    void answer_decisions(const pending_batch& batch, const batch_outcome& outcome, std::size_t first_offset);
    void answer_decision(const asked_decision& asked, queue_offset outcome);
    void look_up_decision(const protocol::answer_to& to, const network::frame_batch& frames,
                          std::uint32_t index);
    void refuse_decision(const protocol::answer_to& to, protocol::response_code code,
                         std::string_view remark);
    void flush_draft();
    void answer_batch(const pending_batch& batch, const batch_outcome& outcome);
    void answer_send(const pending_batch& batch, const pending_send& send, const batch_outcome& outcome,
                     std::size_t first_offset);
    void refuse(const protocol::answer_to& to, bool oneway, const broker::refusal& why);
    void send_answers();
    [[nodiscard]] bool is_being_made(std::string_view topic) const;
    void hold_for_creation(const network::frame_batch& frames, std::uint32_t index,
                           const protocol::send_message_request& request);
    void hold(topic_creation& creation, const network::frame_batch& frames, std::uint32_t index);
    void creation_ended(const topic_creation& creation, const batch_outcome& outcome);
    [[nodiscard]] std::optional<broker::refusal> unwilling() const;
    const broker::topic_config* find_topic(std::string_view name);
    std::optional<broker::topic_config> template_for(const protocol::send_message_request& request) const;
    void pause_if_full();
    void resume_if_drained();

    producer_session_actor::pointer self_ = nullptr;
    connection_ptr connection_;
    std::shared_ptr<const session_environment> environment_;
    std::optional<broker::message_intake> intake_;
    protocol::ipv4_host born_host_;
    protocol::remoting_command command_; // reused: decoding allocates nothing

    // What is gathered in this turn.
    broker::entry_draft draft_;
    std::vector<broker::decision> decisions_; // not in the draft yet
    pending_batch gathering_;
    std::size_t turn_bytes_ = 0; // frames of the turn: a bound for the draft
    byte_buffer answers_;
    std::string ids_;
    std::string dead_letter_topic_;

    std::deque<pending_batch> in_flight_; // in log order
    std::map<std::uint64_t, topic_creation> creations_;
    std::uint64_t next_ticket_ = 1;
    std::uint32_t spread_ = 0;
    std::size_t next_reader_ = 0;
    reader_load reader_load_;
    std::size_t unanswered_ = 0;
    bool paused_ = false;
    bool closed_ = false;

    std::unordered_map<std::string, broker::topic_ptr> topics_; // good for topics_version_
    std::uint64_t topics_version_ = 0;
    broker::topic_ptr last_topic_;
};

producer_session_actor::behavior_type
producer_session(producer_session_actor::stateful_pointer<producer_session_state> self,
                 connection_ptr connection, std::shared_ptr<const session_environment> environment);

} // namespace holdfast::actors
