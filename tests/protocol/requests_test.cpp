// Every typed header there and back in both dialects, and what is refused with which words.
#include "tests/protocol/protocol_helpers.hpp"

#include <gtest/gtest.h>

namespace holdfast::protocol {
namespace {

// Encodes, decodes, encodes again: the two frames must be equal byte for byte.
template <class Request>
void expect_round_trip(const Request& request) {
    for (const serialize_type dialect : {serialize_type::json, serialize_type::binary}) {
        const call how{.opaque = 77, .serialize = dialect};
        byte_buffer first;
        append_request(first, how, request, as_bytes("body"));
        const remoting_command command = decoded(first.view());
        EXPECT_EQ(command.request(), Request::code);
        EXPECT_EQ(command.opaque(), 77);
        EXPECT_EQ(as_text(command.body()), "body");
        const auto again = decode_header<Request>(command);
        ASSERT_TRUE(again) << again.failure();
        byte_buffer second;
        append_request(second, how, *again, as_bytes("body"));
        EXPECT_EQ(to_hex(second.view()), to_hex(first.view()));
    }
}

template <class Response>
void expect_response_round_trip(const Response& response) {
    for (const serialize_type dialect : {serialize_type::json, serialize_type::binary}) {
        byte_buffer first;
        append_response(first, {.opaque = 78, .serialize = dialect}, response);
        const remoting_command command = decoded(first.view());
        EXPECT_TRUE(command.is_response());
        EXPECT_EQ(command.serialize(), dialect);
        const auto again = decode_header<Response>(command);
        ASSERT_TRUE(again) << again.failure();
        byte_buffer second;
        append_response(second, answer_to::of(command), *again);
        EXPECT_EQ(to_hex(second.view()), to_hex(first.view()));
    }
}

TEST(Requests, RoundTrips) {
    const queue_number queue{3};
    expect_round_trip(pull_message_request{.consumer_group = "CG",
                                           .topic = "T",
                                           .queue = queue,
                                           .offset = queue_offset{7},
                                           .sys_flag = 7,
                                           .commit_offset = queue_offset{6},
                                           .suspend_timeout_ms = 15000,
                                           .subscription = "A || B",
                                           .subscription_version = 5,
                                           .expression_type = "TAG",
                                           .max_message_bytes = 1000,
                                           .broker_name = "b"});
    expect_round_trip(query_consumer_offset_request{
        .consumer_group = "CG", .topic = "T", .queue = queue, .set_zero_if_not_found = false});
    expect_round_trip(update_consumer_offset_request{
        .consumer_group = "CG", .topic = "T", .queue = queue, .commit_offset = queue_offset{9}});
    expect_round_trip(search_offset_request{
        .topic = "T", .queue = queue, .timestamp = timestamp_ms{-1}, .boundary = "LOWER"});
    expect_round_trip(get_max_offset_request{.topic = "T", .queue = queue});
    expect_round_trip(get_min_offset_request{.topic = "T", .queue = queue});
    expect_round_trip(get_earliest_store_time_request{.topic = "T", .queue = queue});
    expect_round_trip(query_message_request{.topic = "T",
                                            .key = "k",
                                            .begin = timestamp_ms{0},
                                            .end = timestamp_ms{INT64_MAX},
                                            .is_unique_key = true});
    expect_round_trip(view_message_request{.offset = log_position{1ULL << 50U}});
    expect_round_trip(heart_beat_request{});
    expect_round_trip(unregister_client_request{.client_id = "c", .consumer_group = "CG"});
    expect_round_trip(get_consumer_list_request{.consumer_group = "CG"});
    expect_round_trip(notify_consumer_ids_changed_request{.consumer_group = "CG"});
    expect_round_trip(consumer_send_message_back_request{.offset = log_position{5},
                                                         .group = "CG",
                                                         .delay_level = -1,
                                                         .origin_message_id = "id",
                                                         .origin_topic = "T",
                                                         .max_reconsume_times = 16});
    expect_round_trip(end_transaction_request{.producer_group = "PG",
                                              .state_table_offset = queue_offset{1},
                                              .commit_log_offset = log_position{2},
                                              .verdict = transaction_end::rollback,
                                              .from_check = true,
                                              .message_id = "m",
                                              .transaction_id = "t"});
    expect_round_trip(check_transaction_state_request{
        .state_table_offset = queue_offset{1}, .commit_log_offset = log_position{2}, .message_id = "m"});
    expect_round_trip(get_route_info_request{.topic = "T", .accept_standard_json_only = true});
    expect_round_trip(update_topic_request{.topic = "T",
                                           .default_topic = "TBW102",
                                           .read_queue_count = 8,
                                           .write_queue_count = 8,
                                           .is_ordered = true});
    expect_round_trip(get_topic_stats_request{.topic = "T"});
    expect_round_trip(delete_topic_request{.topic = "T"});
    expect_round_trip(delete_topic_in_name_server_request{.topic = "T", .cluster = "C"});
    expect_round_trip(get_topics_by_cluster_request{.cluster = "C"});
    expect_round_trip(get_producer_connections_request{.producer_group = "PG"});
    expect_round_trip(delete_subscription_group_request{.group = "CG", .remove_offset = true});
    expect_round_trip(get_consume_stats_request{.consumer_group = "CG"});
    expect_round_trip(
        reset_offset_request{.topic = "T", .group = "CG", .is_forced = true, .queue_id = -1, .offset = 5});
    expect_round_trip(
        clone_group_offset_request{.from_group = "CG", .to_group = "CG2", .topic = "T", .is_offline = true});
    expect_round_trip(get_runtime_info_request{});
    expect_round_trip(recall_message_request{
        .topic = "T", .recall_handle = "djEgVA==", .producer_group = "PG", .broker_name = "b"});
}

TEST(Requests, ResponseRoundTrips) {
    expect_response_round_trip(pull_message_response{
        .next_begin_offset = queue_offset{5}, .min_offset = queue_offset{1}, .max_offset = queue_offset{9}});
    expect_response_round_trip(offset_response{.offset = queue_offset{-1}});
    expect_response_round_trip(store_time_response{});
    expect_response_round_trip(
        query_message_response{.index_last_update = timestamp_ms{4}, .index_last_update_position = 5});
    expect_response_round_trip(
        send_message_response{.message_id = "m", .offset = queue_offset{1}, .transaction_id = "t"});
    expect_response_round_trip(
        send_message_response{.message_id = "m", .offset = queue_offset{1}, .recall_handle = "djEgVA=="});
    expect_response_round_trip(recall_message_response{.message_id = "m"});
    expect_response_round_trip(no_fields{});
}

TEST(Requests, BothDialectsOfACppAndAJavaPull) {
    const byte_buffer cpp = json_frame(
        R"({"code":11,"extFields":{"commitOffset":"0","consumerGroup":"CG","maxMsgNums":32,"queueId":1,"queueOffset":"5","subVersion":"0","subscription":"*","suspendTimeoutMillis":"30000","sysFlag":6,"topic":"T"},"flag":0,"language":"CPP","opaque":9,"remark":"","version":333})");
    const remoting_command command = decoded(cpp.view());
    const auto pull = decode_header<pull_message_request>(command);
    ASSERT_TRUE(pull) << pull.failure();
    EXPECT_EQ(pull->offset, queue_offset{5});
    EXPECT_EQ(pull->queue, queue_number{1});
    EXPECT_TRUE(pull->has(pull_flag::subscription));
    EXPECT_TRUE(pull->has(pull_flag::suspend));
    EXPECT_FALSE(pull->has(pull_flag::commit_offset));
    EXPECT_EQ(pull->subscription, "*");
    EXPECT_EQ(pull->expression_type, "");
}

TEST(Requests, MissingAndMalformedFieldsAreNamed) {
    const auto failure_of = [](std::string_view fields) {
        const byte_buffer frame = json_frame("{\"code\":30,\"extFields\":{" + std::string{fields} + "}}");
        const remoting_command command = decoded(frame.view());
        const auto request = decode_header<get_max_offset_request>(command);
        EXPECT_FALSE(request);
        return request ? std::string{} : request.failure().message;
    };
    EXPECT_EQ(failure_of(R"("topic":"T")"), "field queueId is missing");
    EXPECT_EQ(failure_of(R"("topic":"T","queueId":null)"), "field queueId is missing");
    EXPECT_EQ(failure_of(R"("queueId":"1")"), "field topic is missing");
    EXPECT_EQ(failure_of(R"("topic":"T","queueId":"-1")"),
              "field queueId must be a queue number, 0 or more, not \"-1\"");
    EXPECT_EQ(failure_of(R"("topic":"T","queueId":"2147483648")"),
              "field queueId must be a queue number, 0 or more, not \"2147483648\"");
    EXPECT_EQ(failure_of(R"("topic":"T","queueId":"")"),
              "field queueId must be a queue number, 0 or more, not \"\"");
    EXPECT_LT(failure_of(std::string{"\"topic\":\"T\",\"queueId\":\""}.append(1000, 'x').append("\"")).size(),
              150U);
}

TEST(Requests, LogPositionsAndVerdictsAreBounded) {
    log_position position{1};
    EXPECT_FALSE(parse_field("-1", position));
    EXPECT_FALSE(parse_field("9223372036854775808", position));
    EXPECT_TRUE(parse_field("9223372036854775807", position));
    transaction_end verdict = transaction_end::unknown;
    EXPECT_TRUE(parse_field("8", verdict));
    EXPECT_EQ(verdict, transaction_end::commit);
    EXPECT_FALSE(parse_field("4", verdict));
    bool flag = false;
    EXPECT_TRUE(parse_field("TRUE", flag));
    EXPECT_TRUE(flag);
    EXPECT_FALSE(parse_field("", flag));
}

// The C++ client sends the group it does not mean as "", and omits `order` from 17.
TEST(Requests, EmptyAndMissingOptionalsOfTheCppClient) {
    const byte_buffer unregister =
        json_frame(R"({"code":35,"extFields":{"clientID":"c","producerGroup":"PG","consumerGroup":""}})");
    const remoting_command command = decoded(unregister.view());
    const auto request = decode_header<unregister_client_request>(command);
    ASSERT_TRUE(request);
    EXPECT_EQ(request->producer_group, "PG");
    EXPECT_TRUE(request->consumer_group.empty());

    const byte_buffer create = json_frame(
        R"({"code":17,"extFields":{"topic":"T","defaultTopic":"TBW102","readQueueNums":8,"writeQueueNums":8,"perm":6,"topicFilterType":"SINGLE_TAG"}})");
    const remoting_command second = decoded(create.view());
    const auto topic = decode_header<update_topic_request>(second);
    ASSERT_TRUE(topic) << topic.failure();
    EXPECT_FALSE(topic->is_ordered);
    EXPECT_EQ(topic->read_queue_count, 8);
}

// T24: the switch of 207 has two names.
TEST(Requests, T24DeleteGroupSwitchInBothNames) {
    for (const char* name : {"removeOffset", "cleanOffset"}) {
        const byte_buffer frame = json_frame(R"({"code":207,"extFields":{"groupName":"CG",")" +
                                             std::string{name} + "\":\"true\"}}");
        const remoting_command command = decoded(frame.view());
        EXPECT_TRUE(decode_header<delete_subscription_group_request>(command)->remove_offset) << name;
    }
}

TEST(Requests, AnswersKeepDialectAndNumber) {
    const byte_buffer frame = json_frame(R"({"code":38,"opaque":-7,"extFields":{"consumerGroup":"CG"}})");
    const remoting_command request = decoded(frame.view());
    byte_buffer out;
    append_failure(out, answer_to::of(request), response_code::system_error, "no consumer");
    append_success(out, answer_to::of(request), as_bytes("x"));
    const auto first = next_frame(out.view());
    ASSERT_TRUE(first && *first);
    remoting_command answer;
    ASSERT_TRUE(answer.decode(**first));
    EXPECT_EQ(answer.opaque(), -7);
    EXPECT_EQ(answer.response(), response_code::system_error);
    EXPECT_EQ(answer.remark(), "no consumer");
    EXPECT_EQ(answer.version(), version::announced);
    ASSERT_TRUE(answer.decode(only_frame(out.view().subspan((*first)->size))));
    EXPECT_EQ(answer.response(), response_code::success);
    EXPECT_EQ(as_text(answer.body()), "x");
}

} // namespace
} // namespace holdfast::protocol
