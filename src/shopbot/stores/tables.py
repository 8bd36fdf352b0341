from sqlalchemy import Boolean, Column, DateTime, Index, Integer, MetaData, String, Table, Text
metadata = MetaData()
customers = Table("customers", metadata, Column("id", String(120), primary_key=True), Column("position", Integer), Column("email", String(320), unique=True), Column("postcode", String(20), index=True), Column("record", Text))
orders = Table("orders", metadata, Column("id", String(120), primary_key=True), Column("position", Integer), Column("customer_id", String(120), index=True), Column("customer_position", Integer), Column("postcode", String(20), index=True), Column("record", Text))
products = Table("products", metadata, Column("id", String(120), primary_key=True), Column("position", Integer), Column("record", Text))
writes = Table("writes", metadata, Column("call_id", String(120), primary_key=True), Column("session_id", String(120)), Column("customer_id", String(120)), Column("tool", String(120)), Column("arguments", Text), Column("result", Text), Column("written_at", DateTime(timezone=True)))
sessions = Table("sessions", metadata, Column("id", String(120), primary_key=True), Column("version", Integer), Column("state", Text), Column("saved_at", DateTime(timezone=True)))
tickets = Table("tickets", metadata, Column("id", String(120), primary_key=True), Column("session_id", String(120)), Column("customer_id", String(120)), Column("reason", String(200)), Column("summary", Text), Column("created_at", DateTime(timezone=True)), Column("is_open", Boolean))
